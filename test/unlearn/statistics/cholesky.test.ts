// Solutions of positive definite systems, beside their residuals and closed forms.

import { expect, it } from 'vitest';
import { Stream } from '../../../unlearn/random.ts';
import { solveCholesky } from '../../../unlearn/statistics/cholesky.ts';

it('solves a system by hand', () => {
  // [[4, 2], [2, 3]] y = [2, 5] has the solution [-1/2, 2].
  const y = solveCholesky(Float64Array.of(4, 2, 2, 3), Float64Array.of(2, 5));
  expect([...y!].map((value) => Number(value.toFixed(12)))).toEqual([-0.5, 2]);
});

it('leaves no residual for B B^T + I', () => {
  const n = 12;
  const draw = new Stream(7);
  const b = Float64Array.from({ length: n * n }, () => draw.word() / 2 ** 31 - 1);
  const a = Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = i === j ? 1 : 0;
    for (let k = 0; k < n; k++) sum += b[i * n + k] * b[j * n + k];
    return sum;
  });
  const right = Float64Array.from({ length: n }, () => draw.word() / 2 ** 31 - 1);
  const y = solveCholesky(Float64Array.from(a), Float64Array.from(right))!;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a[i * n + j] * y[j];
    expect(sum).toBeCloseTo(right[i], 11);
  }
});

it('has none where the matrix is not definite, or only by rounding', () => {
  expect(solveCholesky(Float64Array.of(1, 2, 2, 1), Float64Array.of(1, 1))).toBeNull();
  expect(solveCholesky(Float64Array.of(Number.NaN), Float64Array.of(1))).toBeNull();
  const nearly = () => Float64Array.of(1, 1, 1, 1 + 1e-15);
  expect(solveCholesky(nearly(), Float64Array.of(1, 1))).not.toBeNull();
  expect(solveCholesky(nearly(), Float64Array.of(1, 1), 1e-13)).toBeNull();
});
