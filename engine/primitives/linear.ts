// What derivatives and batching rules of several families share: sums where zero is known as such, the derivative of what
// is linear in its operands, and the batch for an operand that has none.

import type { Tensor } from '../tensor.ts';
import { add, apply, broadcast } from './apply.ts';
import type { ParamsOf, PrimitiveName } from './names.ts';
import type { JvpRule, MaybeZero } from './types.ts';

/** Sum of cotangents or tangents where null is zero. */
export const addMaybe = (a: MaybeZero, b: MaybeZero): MaybeZero =>
  a === null ? b : b === null ? a : add(a, b);

/** jvp of a primitive that is linear in each of the operands `positions` (and in their product, if there are two). */
export const multilinear =
  <K extends PrimitiveName>(name: K, positions: readonly number[]): JvpRule<ParamsOf<K>> =>
  (primals, tangents, params) => {
    const outs = apply(name, primals, params);
    let total: MaybeZero = null;
    for (const i of positions) {
      const t = tangents[i];
      if (t === null) continue;
      const operands = primals.map((p, j) => (j === i ? t : p));
      total = addMaybe(total, apply(name, operands, params)[0]);
    }
    return { outs, tangents: [total] };
  };

/** Gives an unbatched operand the batch as axis 0. */
export const ensureBatched = (x: Tensor, batched: boolean, size: number): Tensor =>
  batched
    ? x
    : broadcast(
        x,
        [size, ...x.shape],
        x.shape.map((_, i) => i + 1),
      );
