// KLoM as an audit: are the answers of models that unlearned a sample distributed as those of models that never saw it? It is of
// the method, not of one model. The mathematics is statistics/klom.ts, the models are worlds.ts.

import { section } from '../options/fields.ts';
import { meanInterval, quantileOf } from '../statistics/interval.ts';
import { gaussianKlom, halves, klom as klomOf } from '../statistics/klom.ts';
import { meanOf } from '../statistics/spread.ts';
import { scoresOf } from './asked.ts';
import { unmeasured } from './attack.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';
import { allRows, fewest, marginsOf, type Wanted, worldsOf } from './worlds.ts';

/** Models a side below which a histogram says nothing. */
const MIN_MODELS = 8;

const nats = (label: string, about: string): Figure => ({
  label,
  about,
  unit: 'nats',
  target: 'lower',
  digits: 3,
});
const gives = {
  klom: nats('KLoM', 'Mean over the forgotten samples. Not 0 for perfect forgetting: see the floor.'),
  klom_median: nats('KLoM median', 'Median over the forgotten samples.'),
  klom_p95: nats('KLoM 95 %', '95th percentile over the forgotten samples: the worst ones.'),
  klom_p99: nats('KLoM 99 %', '99th percentile over the forgotten samples.'),
  klom_excess: nats(
    'KLoM above floor',
    'Mean over the forgotten samples of KLoM minus its floor, both with halves of the models; 0 for perfect forgetting.',
  ),
  klom_floor: nats(
    'KLoM floor',
    'The same between two disjoint halves of the models that never saw the sample: what chance alone gives with half as many models.',
  ),
  klom_gaussian: nats(
    'KLoM, Gaussian',
    'Median over the forgotten samples of the divergence between Gaussians of the same mean and variance, for few models. Ours.',
  ),
  klom_retain: nats('KLoM, retained', 'Mean over retained samples: models that keep them, after and before.'),
  klom_test: nats(
    'KLoM, test',
    'Mean over test samples that are no targets: models without them, after and before.',
  ),
} satisfies Record<string, Figure>;

export const klom = defineAudit({
  name: 'klom',
  title: 'KLoM',
  definition:
    'How far the margins of models that unlearned a sample are from those of models that never saw it: a divergence between two distributions over models, for each sample.',
  formula:
    'KLoM(x) = KL(hist M_u(x) || hist M_r(x)), M = z_y - log Σ_{j≠y} exp z_j clipped to ±100, 20 equal bins over the joint range (10 below 50 models), M_r’s bins at least 1e-5; M_u: references trained on x that unlearned it, M_r: references never trained on x',
  source:
    'Georgiev et al., "Attribute-to-Delete" (ICLR 2025), and its released code. Ours: the last bin is closed, 10 bins below 50 models, the Gaussian form, the floor; oracles are references without the sample, on halves of the data, in the place of retrained models.',
  fools:
    'Few models: each bin that only one side hits adds to it, in perfect forgetting too, so only the difference from the floor at the same number counts. Margins alone are compared: what is hidden behind the last layer stays unseen. It judges the method on the references, not the audited model itself, and they forget a larger share of their training than it did.',
  certainty:
    'Student’s interval over samples, which share their models: too narrow where these are few. The floor from disjoint halves says what chance gives. Null below 8 models a side. On the original it is the value of doing nothing; on retrain that of two halves of the further retrained models, half as many a side as there are.',
  cost: 'One unlearning and two passes over D_f, T and at most 1,000 samples of D_r for each reference, shared with U-LiRA and the forgetting score.',
  tasks: 'samples',
  needs: ['references', 'unlearn'],
  uses: ['retrain', 'retrains'],
  options: section('Distributions of margins over models (KLoM). It has no options.', {}),
  gives,
  async audit(_, input) {
    const { sets } = input;
    const worlds = await worldsOf(input);
    const forgets = allRows(sets.forget);
    const world = (set: Wanted['set'], state: Wanted['state'], members: boolean, rows: Int32Array) =>
      marginsOf(worlds, { set, state, members }, rows);
    const unlearned = world('forget', 'after', true, forgets);
    const oracle = world('forget', 'before', false, forgets);
    const models = Math.min(fewest(unlearned), fewest(oracle));
    if (models < MIN_MODELS)
      return {
        values: unmeasured(gives),
        notes: [
          `A forgotten sample has ${models} models on a side, and a histogram needs ${MIN_MODELS}: take more ${worlds.from}.`,
        ],
      };
    const pairs = (a: readonly number[][], b: readonly number[][]) =>
      a.flatMap((values, i) => (Math.min(values.length, b[i].length) > 0 ? [klomOf(values, b[i])] : []));
    const mean = (values: readonly number[]) => (values.length > 0 ? meanOf(values) : null);
    const scores = pairs(unlearned, oracle);
    // Halves take turns in the order of the references, so that pairs stay together.
    const apart = unlearned.map((values, i) => ({ u: halves(values), r: halves(oracle[i]) }));
    const floor = apart.map(({ r }) => klomOf(r[0], r[1]));
    const excess = apart.map(({ u, r }, i) => (klomOf(u[0], r[1]) + klomOf(u[1], r[0])) / 2 - floor[i]);
    const isTarget = new Set(worlds.targets);
    const tests = allRows(sets.test).filter((row) => !isTarget.has(row));
    const keeps = allRows(worlds.kept);
    const retained = worldsPair('kept', true, keeps);
    const kept = pairs(...retained);
    const bounds = { klom: meanInterval(scores), klom_excess: meanInterval(excess) };
    return {
      values: {
        klom: mean(scores),
        klom_median: quantileOf(scores, 0.5),
        klom_p95: quantileOf(scores, 0.95),
        klom_p99: quantileOf(scores, 0.99),
        klom_excess: mean(excess),
        klom_floor: mean(floor),
        klom_gaussian: quantileOf(
          unlearned.map((values, i) => gaussianKlom(values, oracle[i])),
          0.5,
        ),
        klom_retain: mean(kept),
        klom_test: mean(pairs(...worldsPair('test', false, tests))),
      },
      intervals: {
        ...(bounds.klom && { klom: bounds.klom }),
        ...(bounds.klom_excess && { klom_excess: bounds.klom_excess }),
      },
      notes: [`${models} models a side${models < 50 ? ': 10 bins; the Gaussian form is steadier' : ''}.`],
      samples: [
        scoresOf('forget', 'KLoM in nats: how far from models that never saw it.', sets.forget.ids, scores),
        ...(kept.length === keeps.length
          ? [
              scoresOf(
                'retain',
                'KLoM in nats: how far from models before they unlearned others.',
                worlds.kept.ids,
                kept,
              ),
            ]
          : []),
      ],
    };

    /** After and before, of models that were trained on the sample or not. */
    function worldsPair(set: Wanted['set'], members: boolean, rows: Int32Array): [number[][], number[][]] {
      return [world(set, 'after', members, rows), world(set, 'before', members, rows)];
    }
  },
});
