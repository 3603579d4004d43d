// All metrics, in the order of results.json and of the columns. A new one is a file with its record and a line here.

import { acc_test_forget, ra, ta, ua } from './accuracy.ts';
import { asr } from './asr.ts';
import { corrected } from './corrected.ts';
import { entropy_forget } from './entropy.ts';
import { avg_gap } from './gap.ts';
import { mia } from './mia.ts';
import { nonfinite } from './nonfinite.ts';
import type { NumbersOf } from './record.ts';
import { rte_seconds } from './time.ts';
import { tow } from './tow.ts';

/** All metrics by name, in the order of results.json and of the columns; docs/metrics.md explains them. */
export const metrics = {
  ua,
  ra,
  ta,
  acc_test_forget,
  corrected,
  mia,
  asr,
  entropy_forget,
  avg_gap,
  tow,
  rte_seconds,
  nonfinite,
};

/**
 * The numbers of one run. Percentages are 0..100. What may be missing is not in older results.
 * @useDeclaredType
 */
export type Metrics = NumbersOf<(typeof metrics)[keyof typeof metrics]>;
