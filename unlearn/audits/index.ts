// All audits, in the order of results.json and of the report. A new one is a file with its record and a line here.

import { cka } from './cka.ts';
import { membershipProbe } from './membershipProbe.ts';
import { mixture } from './mixture.ts';
import { neighbours } from './neighbours.ts';
import { probe } from './probe.ts';
import { prototypes } from './prototypes.ts';
import { relative } from './relative.ts';
import { zrf } from './zrf.ts';

/** All audits by name; docs/audits.md explains them. */
export const audits = {
  probe,
  membershipProbe,
  prototypes,
  relative,
  neighbours,
  mixture,
  cka,
  zrf,
};
