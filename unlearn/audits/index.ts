// All audits, in the order of results.json and of the report. A new one is a file with its record and a line here.

import { cka } from './cka.ts';
import { damaged } from './damaged.ts';
import { forgettingScore } from './forgettingScore.ts';
import { iam } from './iam.ts';
import { klom } from './klom.ts';
import { klomSeeds } from './klomSeeds.ts';
import { membershipProbe } from './membershipProbe.ts';
import { mixture } from './mixture.ts';
import { neighbours } from './neighbours.ts';
import { overUnlearning } from './overUnlearning.ts';
import { probe } from './probe.ts';
import { prototypes } from './prototypes.ts';
import { relative } from './relative.ts';
import { relearn } from './relearn.ts';
import { retained } from './retained.ts';
import { rmia } from './rmia.ts';
import { ulira } from './ulira.ts';
import { zrf } from './zrf.ts';

/** All audits by name; docs/audits.md explains them. */
export const audits = {
  /** See {@link rmia}. */
  rmia,
  /** See {@link iam}. */
  iam,
  /** See {@link ulira}. */
  ulira,
  /** See {@link klom}. */
  klom,
  /** See {@link klomSeeds}. */
  klomSeeds,
  /** See {@link forgettingScore}. */
  forgettingScore,
  /** See {@link probe}. */
  probe,
  /** See {@link membershipProbe}. */
  membershipProbe,
  /** See {@link prototypes}. */
  prototypes,
  /** See {@link relearn}. */
  relearn,
  /** See {@link damaged}. */
  damaged,
  /** See {@link relative}. */
  relative,
  /** See {@link neighbours}. */
  neighbours,
  /** See {@link mixture}. */
  mixture,
  /** See {@link cka}. */
  cka,
  /** See {@link zrf}. */
  zrf,
  /** See {@link overUnlearning}. */
  overUnlearning,
  /** See {@link retained}. */
  retained,
};
