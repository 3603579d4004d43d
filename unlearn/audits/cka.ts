// Centred kernel alignment with retrained networks: are the features arranged as if the samples had never been there?

import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { stratified } from '../random.ts';
import { linearCka } from '../statistics/cka.ts';
import { type Interval, meanInterval } from '../statistics/interval.ts';
import { selectPoints } from '../statistics/points.ts';
import type { Points } from '../statistics/rbf.ts';
import { spreadOf } from '../statistics/spread.ts';
import type { Split } from '../types.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';
import { ALONE, DIVERGED, finitePoints, peersOf } from './rows.ts';

/** Samples below which nothing is said, and parts of which each is left out once. */
const MIN_SAMPLES = 20;
const PARTS = 10;

const figure = (of: string, on: string): Figure => ({
  label: `CKA, ${of}`,
  about: `CKA with retrained networks on ${on}; 1 where features are the same up to rotation and scale.`,
  unit: '0 to 1',
  target: 'retrain',
  digits: 3,
});

export const cka = defineAudit({
  name: 'cka',
  title: 'Likeness of features to retrain’s (CKA)',
  definition:
    'Linear centred kernel alignment between the features of the audited network and those of retrained ones, on forgotten samples, on test samples of the forgotten classes, and on other test samples.',
  formula:
    'HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)), K = H H′ of the audited network, L of a retrained one; mean over the retrained ones',
  source:
    'Kornblith et al., ICML 2019; without bias by HSIC₁ of Song et al., JMLR 2012. Its use on F, T_f and T_r apart is ours.',
  fools:
    'Large features outweigh small ones: what little of a forgotten class is left does not show. Even two retrainings are not at 1, so the value of the retrained row, against retrained networks of other seeds, is the one to reach; a network made from the original has its initial weights and may lie nearer to a retrain of the same seed.',
  certainty:
    'Student’s interval over the retrained networks where there are several; with one, a jackknife over ten parts of the samples.',
  cost: 'One pass over F and T for features, of each network.',
  tasks: 'any',
  needs: ['network', 'retrain'],
  uses: ['retrains'],
  options: section('On what it is computed.', {
    samples: opt(int('Samples of a set at most.', MIN_SAMPLES, 100_000), 1000),
  }),
  gives: {
    cka: figure('F', 'forgotten samples'),
    cka_gone: figure('T_f', 'test samples of the forgotten classes'),
    cka_kept: figure('T_r', 'the other test samples'),
  },
  async audit({ samples }, input) {
    const { own, sets, seed, signal } = input;
    const peers = peersOf(input).filter(({ hasFeatures }) => hasFeatures);
    const values: Record<'cka' | 'cka_gone' | 'cka_kept', number | null> = {
      cka: null,
      cka_gone: null,
      cka_kept: null,
    };
    if (peers.length === 0)
      return { values, notes: [input.retrain === own ? ALONE : 'No retrained model is a single network.'] };
    const intervals: Partial<Record<keyof typeof values, Interval>> = {};
    const notes = new Set<string>();
    const measured = async (name: keyof typeof values, split: Split | null) => {
      if (!split || split.size < MIN_SAMPLES) {
        notes.add(`${name} needs ${MIN_SAMPLES} samples, there are ${split?.size ?? 0}.`);
        return;
      }
      const rows = stratified(split.labels, Math.min(samples, split.size), seed, 0x636b61);
      const points = async (subject: typeof own): Promise<Points | null> => {
        const all = finitePoints(await subject.features(split, { signal }));
        return all && selectPoints(all, rows);
      };
      const mine = await points(own);
      const others: Points[] = [];
      for (const peer of peers) {
        const theirs = await points(peer);
        if (theirs) others.push(theirs);
      }
      const each = mine ? others.map((one) => linearCka(mine, one)) : [];
      const spread = spreadOf(each);
      if (!mine || !spread) {
        notes.add(mine && others.length > 0 ? 'Features do not vary.' : DIVERGED);
        return;
      }
      values[name] = spread.mean;
      const interval = meanInterval(each.length > 1 ? each : pseudoValues(mine, others[0], spread.mean));
      if (interval) intervals[name] = interval;
    };
    await measured('cka', sets.forget);
    if (input.goneClasses.length > 0) await measured('cka_gone', sets.gone);
    await measured('cka_kept', sets.kept);
    return { values, intervals, notes: [...notes] };
  },
});

/** Of a jackknife that leaves out one of ten parts at a time (Tukey): their mean and spread are those of the value. */
function pseudoValues(a: Points, b: Points, whole: number): number[] {
  return Array.from({ length: PARTS }, (_, part) => {
    const rows = Array.from({ length: a.n }, (_, i) => i).filter((i) => i % PARTS !== part);
    const without = linearCka(selectPoints(a, rows), selectPoints(b, rows));
    return PARTS * whole - (PARTS - 1) * without;
  });
}
