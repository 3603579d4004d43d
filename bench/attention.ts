// Attention of 8 heads of width 64, forward, or with the gradients of queries, keys and values.

import * as lt from '../index.ts';
import { type Case, compiled, input, normTolerance } from './case.ts';
import { uniform } from './inputs.ts';

const HEADS = 8;
const WIDTH = 64;
/** Inputs have variance 1/3: with this factor scores have about 1, and weights differ. */
const SCALE = 3 / Math.sqrt(WIDTH);

type Row = readonly number[];
/** Row n of all heads' rows of input `number`. */
const row = (number: number, n: number): Row =>
  Array.from({ length: WIDTH }, (_, d) => uniform(number, n * WIDTH + d));
const inner = (a: Row, b: Row): number => a.reduce((sum, x, d) => sum + x * b[d], 0);

/** Of the result, or of the gradient of the queries: dq = scale sum over j of P_j (dy . v_j - mean of these) k_j. */
function exactAttention(tokens: number, direction: 'forward' | 'gradient', at: number): number {
  const [query, column] = [Math.floor(at / WIDTH), at % WIDTH];
  const keys = Array.from({ length: tokens }, (_, j) => query - (query % tokens) + j);
  const q = row(0, query);
  const weights = keys.map((key) => Math.exp(SCALE * inner(q, row(1, key))));
  const total = weights.reduce((a, b) => a + b);
  const average = (of: (key: number, j: number) => number): number =>
    keys.reduce((sum, key, j) => sum + (weights[j] / total) * of(key, j), 0);
  if (direction === 'forward') return average((key) => uniform(2, key * WIDTH + column));
  const dy = row(3, query);
  const slopes = keys.map((key) => inner(dy, row(2, key)));
  const mean = average((_, j) => slopes[j]);
  return SCALE * average((key, j) => (slopes[j] - mean) * uniform(1, key * WIDTH + column));
}

export function attention(tokens: number, direction: 'forward' | 'gradient'): Case {
  const shape = [HEADS, tokens, WIDTH];
  const attend = (q: lt.Tensor, k: lt.Tensor, v: lt.Tensor) => lt.attention(q, k, v, { scale: SCALE });
  return {
    suite: 'attention',
    name: `attention ${tokens} ${direction === 'forward' ? 'forward' : 'forward and backward'}`,
    peer: { case: 'attention', heads: HEADS, tokens, width: WIDTH, scale: SCALE, direction },
    size: HEADS * tokens * WIDTH,
    tolerance: 16 * normTolerance(tokens),
    exact: (at) => exactAttention(tokens, direction, at),
    prepare() {
      const [q, k, v, dy] = [0, 1, 2, 3].map((n) => input(n, shape));
      const all = [q, k, v, dy];
      if (direction === 'forward') return compiled(attend, [q, k, v], all);
      return compiled(
        (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor, d: lt.Tensor) => lt.vjp(attend, a, b, c)[1](d),
        [q, k, v, dy],
        all,
      );
    },
  };
}
