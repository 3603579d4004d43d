// Centred kernel alignment with linear kernels (Kornblith et al., ICML 2019): how alike two representations of the same samples
// are, up to rotation and a common scale. Without bias by default (HSIC_1 of Song et al., JMLR 2012): the plain form is near 1
// for any two wide representations of few samples.

import type { Points } from './rbf.ts';

/**
 * CKA of two representations of the same n samples, row i of each being sample i; 1 where they are equal up to rotation. The
 * biased form lies in 0..1; the unbiased one may fall a little below 0. NaN where a representation does not vary.
 * @throws RangeError where the numbers of samples differ, or are below 4.
 */
export function linearCka(x: Points, y: Points, { biased = false } = {}): number {
  if (x.n !== y.n || x.n < 4)
    throw new RangeError(
      `linearCka: expected two representations of the same 4 samples or more, got ${x.n}, ${y.n}`,
    );
  const [a, b] = [centred(x), centred(y)];
  const hsic = biased ? crossSquares : unbiasedHsic;
  const [xy, xx, yy] = [hsic(a, b), hsic(a, a), hsic(b, b)];
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : Number.NaN;
}

/** Without its mean; all 0 where what remains is rounding. */
function centred({ x, n, d }: Points): Points {
  const mean = new Float64Array(d);
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n;
  const rest = x.map((value, i) => value - mean[i % d]);
  const size = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
  return { x: size(rest) > 1e-24 * size(x) ? rest : rest.fill(0), n, d };
}

/** |X' Y|^2, the sum over all i, j of (x_i . x_j)(y_i . y_j). */
function crossSquares(a: Points, b: Points): number {
  let sum = 0;
  const column = new Float64Array(b.d);
  for (let i = 0; i < a.d; i++) {
    column.fill(0);
    for (let t = 0; t < a.n; t++) {
      const value = a.x[t * a.d + i];
      for (let j = 0; j < b.d; j++) column[j] += value * b.x[t * b.d + j];
    }
    for (const value of column) sum += value * value;
  }
  return sum;
}

/**
 * n (n - 3) HSIC_1 = tr(KL) + (1'K1)(1'L1) / ((n - 1)(n - 2)) - 2 / (n - 2) 1'KL1, the diagonals of K = XX' and L = YY' being
 * 0. The features are centred, so that all rows of the full matrices sum to 0 and those here to minus their diagonal.
 */
function unbiasedHsic(a: Points, b: Points): number {
  const { n } = a;
  const [k, l] = [a, b].map(({ x, d }) =>
    Float64Array.from({ length: n }, (_, t) => {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += x[t * d + j] ** 2;
      return sum;
    }),
  );
  let product = 0;
  let sumK = 0;
  let sumL = 0;
  for (let t = 0; t < n; t++) {
    product += k[t] * l[t];
    sumK += k[t];
    sumL += l[t];
  }
  return crossSquares(a, b) - product + (sumK * sumL) / ((n - 1) * (n - 2)) - (2 * product) / (n - 2);
}
