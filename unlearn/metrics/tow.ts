// Agreement with retraining as a product: what is lost in one accuracy cannot be bought back with another.

import { ra, ta, ua } from './accuracy.ts';
import { distance, metric, type NumbersOf } from './record.ts';

type Own = NumbersOf<typeof ua | typeof ra | typeof ta>;

export const tow = metric({
  key: 'tow',
  label: 'ToW',
  title: 'Tug of war',
  definition:
    '(1 - |ΔFA|)(1 - |ΔRA|)(1 - |ΔTA|): product of what is left of agreement with retraining, accuracies in 0 to 1.',
  formula: '(1 − |ΔFA|)(1 − |ΔRA|)(1 − |ΔTA|), accuracies in 0..1, FA on D_f',
  unit: '0 to 1',
  range: [0, 1],
  target: 'higher',
  aim: 'Higher is better; 1 is retraining itself.',
  source: 'Zhao et al., NeurIPS 2024',
  fools:
    'It does not look at privacy; and where few samples are forgotten, the original model is near 1 too.',
  needs: [],
  cost: 'None beside its accuracies.',
  digits: 3,
  column: 'value',
  gives: {
    tow: {
      about:
        'NaN (`null` in JSON) without a paired retrain. A product: what is lost in one accuracy cannot be bought back with another.',
      sometimes: 'absent',
    },
  },
  measure: () => ({ tow: Number.NaN }),
  compare(own: Own, retrain: Own) {
    const [fa, kept, test] = [ua, ra, ta].map(
      ({ key }) => 1 - Math.abs(distance(own[key], retrain[key])) / 100,
    );
    return { tow: fa * kept * test };
  },
});
