// All simplifications, in the order they are tried.

import { elementwiseRules } from './elementwise.ts';
import { poolingRules } from './pooling.ts';
import type { Rule } from './rule.ts';
import { plainSums, productSums } from './sums.ts';
import { viewRules } from './views.ts';

export const RULES: readonly Rule[] = [
  ...elementwiseRules,
  ...viewRules,
  ...plainSums,
  ...poolingRules,
  ...productSums,
];
