// All audits, in the order of results.json and of the report. A new one is a file with its record and a line here.

import { cka } from './cka.ts';
import { forgettingScore } from './forgettingScore.ts';
import { iam } from './iam.ts';
import { klom } from './klom.ts';
import { membershipProbe } from './membershipProbe.ts';
import { mixture } from './mixture.ts';
import { neighbours } from './neighbours.ts';
import { probe } from './probe.ts';
import { prototypes } from './prototypes.ts';
import { relative } from './relative.ts';
import { retained } from './retained.ts';
import { rmia } from './rmia.ts';
import { ulira } from './ulira.ts';
import { zrf } from './zrf.ts';

/** All audits by name; docs/audits.md explains them. */
export const audits = {
  rmia,
  iam,
  ulira,
  klom,
  forgettingScore,
  probe,
  membershipProbe,
  prototypes,
  relative,
  neighbours,
  mixture,
  cka,
  zrf,
  retained,
};
