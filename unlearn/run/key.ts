// Keys: what names a piece of work by all it depends on.

import { canonicalJson } from '../json.ts';
import { sha256 } from '../sha256.ts';

/** sha256 of a value as JSON with sorted keys: the same for equal values, whatever order their keys were written in. */
export const hashOf = (value: unknown): string => sha256(canonicalJson(value));
