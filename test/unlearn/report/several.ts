// Made-up results of three runs with the numbers of the fixture; in the last one the original is a retrain, and nothing can be
// concluded.

import { digestOf } from '../../../unlearn/report/varied/digest.ts';
import type { Results, VariedResults } from '../../../unlearn/types.ts';
import { fixture } from './fixture.ts';

/** Runs at these places; by names alone where they are null. */
export function several(places: readonly (number | null)[]): VariedResults {
  const results = fixture();
  const { runs } = results;
  const alike = runs.map((run) => {
    const target = runs.find(({ method, seed }) => method === 'retrain' && seed === run.seed);
    return run.method === 'original' && target
      ? { ...run, metrics: { ...target.metrics, rte_seconds: 0 } }
      : run;
  });
  const all: Results[] = [results, { ...results }, { ...results, runs: alike }];
  return {
    version: 1,
    kind: 'varied',
    about: 'share',
    recipe: { name: 'shares', seeds: [0, 1, 2], methods: [{ label: 'scrub' }, { label: 'finetune' }] },
    runs: places.map((at, i) => digestOf(at === null ? `run-${i}` : String(at), at, all[i])),
  };
}
