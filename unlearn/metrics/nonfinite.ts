// Whether the model still answers at all.

import { nonFinite } from '../statistics/outputs.ts';
import { metric } from './record.ts';

export const nonfinite = metric({
  key: 'nonfinite',
  label: 'No answer',
  title: 'Samples without a usable answer',
  definition:
    'Share of all samples for which the logits are NaN or infinite. They count as wrong and as uniform.',
  formula: 'share of D_f, D_r and T with NaN or infinite logits',
  unit: '%',
  range: [0, 100],
  target: 'lower',
  aim: 'Aim: 0; above it the model has diverged.',
  source: 'ours',
  fools: 'A network that diverged to large finite numbers counts as sound; RA tells.',
  needs: ['forget', 'retain', 'test'],
  cost: 'One pass over the logits.',
  digits: 1,
  column: null,
  gives: { nonfinite: { about: 'Percent of all rows.', sometimes: 'absent' } },
  measure({ forget, retain, test, K }) {
    const sets = [forget, retain, test];
    const rows = sets.reduce((sum, set) => sum + set.labels.length, 0);
    const silent = sets.reduce((sum, set) => sum + nonFinite(set, K), 0);
    return { nonfinite: (100 * silent) / rows };
  },
});
