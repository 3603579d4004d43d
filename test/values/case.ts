// What the table of values is made of: an operation's operands, how it is called with them, and what comes out.

import type { Tensor } from '../../index.ts';
import type { Plain } from './plain.ts';

export interface Case {
  readonly x: readonly Plain[];
  /** The arguments, from the operands as tensors; these as they are where it is missing. */
  readonly call?: (...tensors: Tensor[]) => readonly unknown[];
  /** The result, worked out in plain loops; of several, all by their names or in order. */
  readonly want: (...x: Plain[]) => Plain | readonly Plain[] | Readonly<Record<string, Plain>>;
}
export type Table = Readonly<Record<string, readonly Case[]>>;
