// How far a model is from its paired retrain, in one number.

import { ra, ta, ua } from './accuracy.ts';
import { mia } from './mia.ts';
import { distance, isMeasurable, metric, type NumbersOf } from './record.ts';

/** The measures whose distances from retrain make the average gap (SalUn, Table 1). */
export const MEASURES = [ua, ra, ta, mia] as const;
type Own = NumbersOf<(typeof MEASURES)[number]>;

export const avg_gap = metric({
  key: 'avg_gap',
  label: 'Avg. gap',
  title: 'Average gap to retraining',
  definition:
    'Mean distance from the retrained model of the same split and seed over UA, RA, TA and MIA; over the first three where MIA is not measurable.',
  formula: 'mean of |m − m_retrain| over UA, RA, TA, MIA; without MIA where it is not measurable (below)',
  unit: 'points',
  range: [0, 100],
  target: 'lower',
  aim: 'Lower is better; 0 is retraining itself.',
  source: 'SalUn, Table 1',
  fools:
    'It weighs four percentages alike, though MIA moves much further than the others. Where few samples are forgotten, the original model is near too.',
  needs: [],
  cost: 'None beside its measures.',
  digits: 2,
  column: 'value',
  gives: {
    avg_gap: {
      about:
        'Points; NaN (`null` in JSON) without a paired retrain, one of the same split and seed. With `mia_measurable` 0 it is a mean of three: do not compare it with a published mean of four.',
    },
    avg_gap_all: {
      about: 'The average gap over all four, always: to compare with published tables.',
      sometimes: 'absent',
    },
  },
  measure: () => ({ avg_gap: Number.NaN, avg_gap_all: Number.NaN }),
  compare(own: Own, retrain: Own) {
    const mean = (measures: readonly (typeof MEASURES)[number][]) =>
      measures.reduce((sum, { key }) => sum + Math.abs(distance(own[key], retrain[key])), 0) /
      measures.length;
    return {
      avg_gap: mean(MEASURES.filter((measure) => isMeasurable(measure, own, retrain))),
      avg_gap_all: mean(MEASURES),
    };
  },
});
