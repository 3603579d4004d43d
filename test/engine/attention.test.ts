// Attention that never stores its scores: values and gradients against the formulas, on every backend, at sizes that are
// no multiples of tiles; masks; what no query sees; scores far from zero; and the sizes of what programs keep in memory.

import { describe, expect, test } from 'vitest';
import { roundHalf } from '../../engine/half.ts';
import { attention } from '../../engine/primitives/apply.ts';
import * as lt from '../../index.ts';
import { describeBackends, elements, epsilonOf, type Float, make } from '../conformance/support.ts';

type Rows = Float64Array;
interface Sizes {
  readonly B: number;
  readonly N: number;
  readonly M: number;
  readonly D: number;
  readonly C: number;
}
type Seen = (b: number, i: number, j: number) => boolean;

const data = ({ B, N, M, D, C }: Sizes) => ({
  q: elements({ shape: [B, N, D] }, 1),
  k: elements({ shape: [B, M, D] }, 2),
  v: elements({ shape: [B, M, C] }, 3),
  dy: elements({ shape: [B, N, C] }, 4),
});
const inner = (a: Rows, i: number, b: Rows, j: number, n: number): number => {
  let sum = 0;
  for (let d = 0; d < n; d++) sum += a[i * n + d] * b[j * n + d];
  return sum;
};

/** The result and its pullback, score by score: dv = P^T dy, dS = P (dy v^T - D), dq = scale dS k, dk = scale dS^T q. */
function byHand({ B, N, M, D, C }: Sizes, scale: number, seen: Seen): Rows[] {
  const { q, k, v, dy } = data({ B, N, M, D, C });
  const [y, dq, dk, dv] = [B * N * C, B * N * D, B * M * D, B * M * C].map((n) => new Float64Array(n));
  for (let b = 0; b < B; b++)
    for (let i = 0; i < N; i++) {
      const row = b * N + i;
      const keys = Array.from({ length: M }, (_, j) => j).filter((j) => seen(b, i, j));
      const scores = keys.map((j) => scale * inner(q, row, k, b * M + j, D));
      const top = Math.max(...scores);
      const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
      const weights = scores.map((s) => Math.exp(s - top) / total);
      const slopes = keys.map((j) => inner(dy, row, v, b * M + j, C));
      const mean = weights.reduce((sum, w, n) => sum + w * slopes[n], 0);
      keys.forEach((j, n) => {
        const key = b * M + j;
        for (let c = 0; c < C; c++) {
          y[row * C + c] += weights[n] * v[key * C + c];
          dv[key * C + c] += weights[n] * dy[row * C + c];
        }
        const ds = scale * weights[n] * (slopes[n] - mean);
        for (let d = 0; d < D; d++) {
          dq[row * D + d] += ds * k[key * D + d];
          dk[key * D + d] += ds * q[row * D + d];
        }
      });
    }
  return [y, dq, dk, dv];
}

const tensors = ({ B, N, M, D, C }: Sizes, float: Float): lt.Tensor[] => {
  const { q, k, v, dy } = data({ B, N, M, D, C });
  return [
    make(q, [B, N, D], float),
    make(k, [B, M, D], float),
    make(v, [B, M, C], float),
    make(dy, [B, N, C], float),
  ];
};
/** The result and its pullback as one compiled step. */
const both = (options: lt.AttentionOptions) =>
  lt.jit((q: lt.Tensor, k: lt.Tensor, v: lt.Tensor, dy: lt.Tensor) => {
    const [y, pull] = lt.vjp(
      (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor) => lt.attention(a, b, c, options),
      q,
      k,
      v,
    );
    return [y, ...(pull(dy as never) as lt.Tensor[])] as lt.Tensor[];
  });

async function agree(got: readonly lt.Tensor[], want: readonly Rows[], bound: number): Promise<void> {
  expect(got.length).toBe(want.length);
  for (const [n, w] of want.entries()) {
    const g = await got[n].data();
    expect(g.length).toBe(w.length);
    const limit = bound * w.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    for (let i = 0; i < w.length; i++)
      if (!(Math.abs(g[i] - w[i]) <= limit))
        expect.fail(`result ${n} element ${i} is ${g[i]}, expected ${w[i]} within ${limit}`);
  }
}

// More scores than 256 x 256, of which none is stored, and fewer.
const uneven: Sizes = { B: 2, N: 250, M: 270, D: 5, C: 7 };
const square: Sizes = { B: 1, N: 264, M: 264, D: 8, C: 68 };
const few: Sizes = { B: 2, N: 9, M: 11, D: 5, C: 7 };

/** The primitive, at any size; keys with `hidden` Infinity are seen by nobody. */
const byTiles = (q: lt.Tensor, k: lt.Tensor, v: lt.Tensor, hidden: lt.Tensor, sees: 'all' | 'past' = 'all') =>
  attention(q, k, hidden, v, { scale: 1, sees })[0];

describeBackends(({ float }) => {
  // A sum over keys of products whose weights have the error of a score.
  const bound = (s: Sizes): number => epsilonOf(float) * (16 + 2 * (s.M + s.N + s.D + s.C));

  test('values and gradients are those of the formulas', async () => {
    for (const sizes of [uneven, square, few])
      await agree(
        both({ scale: 0.4 })(...(tensors(sizes, float) as [lt.Tensor, lt.Tensor, lt.Tensor, lt.Tensor])),
        byHand(sizes, 0.4, () => true),
        bound(sizes),
      );
  });

  test('causal: query i sees keys 0 to i', async () => {
    for (const sizes of [uneven, { ...uneven, N: 270, M: 250 }, few])
      await agree(
        both({ causal: true, scale: 0.4 })(
          ...(tensors(sizes, float) as [lt.Tensor, lt.Tensor, lt.Tensor, lt.Tensor]),
        ),
        byHand(sizes, 0.4, (_, i, j) => j <= i),
        bound(sizes),
      );
  });

  test('keys that are left out, for all queries of a batch: a query that sees none gets zeros', async () => {
    const seen: Seen = (b, _, j) => b === 0 && j % 3 !== 0;
    const flags = Array.from({ length: uneven.B * uneven.M }, (_, n) =>
      Number(seen(Math.floor(n / uneven.M), 0, n % uneven.M)),
    );
    const mask = make(flags, [uneven.B, 1, uneven.M], 'bool');
    const args = tensors(uneven, float) as [lt.Tensor, lt.Tensor, lt.Tensor, lt.Tensor];
    await agree(both({ mask, scale: 0.4 })(...args), byHand(uneven, 0.4, seen), bound(uneven));
    // The first query sees key 0 only, which is left out.
    await agree(
      both({ mask, causal: true, scale: 0.4 })(...args),
      byHand(uneven, 0.4, (b, i, j) => seen(b, i, j) && j <= i),
      bound(uneven),
    );
  });

  test('a mask with an element for each score, causal or not', async () => {
    const mask = make(
      Array.from({ length: 99 }, (_, n) => Number(n % 4 !== 1)),
      [9, 11],
      'bool',
    );
    const args = tensors(few, float) as [lt.Tensor, lt.Tensor, lt.Tensor, lt.Tensor];
    const seen: Seen = (_, i, j) => (i * 11 + j) % 4 !== 1;
    await agree(both({ mask })(...args), byHand(few, 1 / Math.sqrt(5), seen), bound(few));
    await agree(
      both({ mask, causal: true })(...args),
      byHand(few, 1 / Math.sqrt(5), (b, i, j) => seen(b, i, j) && j <= i),
      bound(few),
    );
  });

  test('scores of ten thousand, on either side of zero', async () => {
    // Whole numbers, so that scores are exact: 1e4 (i + 1) (j - 2), and a tie of the two greatest.
    const q = make([1, 2, 3], [1, 3, 1], float);
    const k = make([-2e4, -1e4, 0, 1e4, 1e4], [1, 5, 1], float);
    const v = make([1, 2, 3, 4, 8], [1, 5, 1], float);
    const f = (sign: number) => (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor) =>
      byTiles(a.mul(sign), b, c, lt.zeros([1, 5], float));
    expect([...(await f(1)(q, k, v).data())]).toEqual([6, 6, 6]);
    expect([...(await f(-1)(q, k, v).data())]).toEqual([1, 1, 1]);
    const gradients = lt.grad((...xs: lt.Tensor[]) => f(1)(xs[0], xs[1], xs[2]).sum(), [0, 1, 2])(
      q,
      k,
      v,
    ) as lt.Tensor[];
    const [dq, dk, dv] = await Promise.all(gradients.map(async (g) => [...(await g.data())]));
    // Both keys weigh 1/2: what moves their scores together moves nothing. l is rounded to 2^-9 where it is 3e4.
    for (const g of dq) expect(Math.abs(g)).toBeLessThan(2e4 * 2 ** -10);
    [0, 0, 0, -6, 6].forEach((w, n) => {
      expect(Math.abs(dk[n] - w)).toBeLessThan(0.01);
    });
    [0, 0, 0, 1.5, 1.5].forEach((w, n) => {
      expect(Math.abs(dv[n] - w)).toBeLessThan(0.01);
    });
  });
});

describe('on the reference', () => {
  const setUp = () => lt.init({ device: 'reference', dtype: 'float64' });
  const operands = () => [1, 2, 3].map((n) => lt.random.normal(lt.random.key(n), [2, 3, 2]));

  test('first and second derivatives are limits of differences, with and without keys that are hidden', async () => {
    await setUp();
    const none = lt.zeros([2, 3]);
    const some = lt.tensor([
      [Infinity, 0, 0],
      [Infinity, Infinity, Infinity],
    ]);
    for (const hidden of [none, some])
      for (const sees of ['all', 'past'] as const)
        await lt.checkGradients((q, k, v) => byTiles(q, k, v, hidden, sees).sin().sum(), operands(), {
          order: 2,
        });
  });

  test('what is kept in memory grows with queries and keys, to any order', async () => {
    await setUp();
    const [N, D] = [264, 4];
    const xs = [1, 2, 3].map((n) => lt.random.normal(lt.random.key(n), [2, N, D]));
    const loss = (q: lt.Tensor, k: lt.Tensor, v: lt.Tensor) => lt.attention(q, k, v).square().sum();
    const first = lt.grad(loss, [0, 1, 2]) as (...args: lt.Tensor[]) => lt.Tensor[];
    const length = (...args: lt.Tensor[]) =>
      first(...args).reduce((sum, g) => sum.add(g.square().sum()), lt.zeros([]));
    const second = lt.grad(length, [0, 1, 2]) as (...args: lt.Tensor[]) => lt.Tensor[];
    for (const f of [loss, first, second]) {
      const { slots } = lt.jit(f as typeof first).program(...xs);
      for (const s of slots) expect(s.size).toBeLessThanOrEqual(2 * N * (D + 1));
    }
  });

  test('float16 is computed with in float32', async () => {
    await setUp();
    const [q, k, v] = [1, 2, 3].map((n) =>
      lt.random.normal(lt.random.key(n), [264, 2], 'float32').astype('float16'),
    );
    const got = lt.attention(q, k, v);
    expect(got.dtype).toBe('float16');
    const wide = await lt
      .attention(...([q, k, v].map((x) => x.astype('float32')) as [lt.Tensor, lt.Tensor, lt.Tensor]))
      .data();
    expect([...(await got.data())]).toEqual([...wide].map(roundHalf));
  });

  test('operands that do not fit are refused', async () => {
    await setUp();
    const [q, k, v] = operands();
    expect(() => lt.attention(q, lt.ones([2, 3, 4]), v)).toThrow(/attention: q .* do not fit/);
    expect(() => lt.attention(q, k, lt.ones([2, 4, 2]))).toThrow(/expected \[\.\.\., L, d\]/);
    expect(() => lt.attention(q, lt.ones([3, 3, 2]), v)).toThrow(/broadcast/);
    expect(() => lt.attention(q, k, v, { scale: lt.ones([]) as never })).toThrow(/scale is/);
    expect(() => lt.attention(q, k, v, { mask: lt.ones([1, 5], 'bool') })).toThrow(
      /mask .* is 5, expected 3 or 1/,
    );
  });
});
