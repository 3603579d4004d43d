// All audits, in the order of results.json and of the report. A new one is a file with its record and a line here.

import { overUnlearning } from './overUnlearning.ts';
import { relearn } from './relearn.ts';

/** All audits by name; docs/audits.md explains them. */
export const audits = {
  /** See {@link relearn}. */
  relearn,
  /** See {@link overUnlearning}. */
  overUnlearning,
};
