// All audits, in the order of results.json and of the report. A new one is a file with its record and a line here.

import { forgettingScore } from './forgettingScore.ts';
import { iam } from './iam.ts';
import { klom } from './klom.ts';
import { rmia } from './rmia.ts';
import { ulira } from './ulira.ts';

/** All audits by name; docs/audits.md explains them. */
export const audits = { rmia, iam, ulira, klom, forgettingScore };
