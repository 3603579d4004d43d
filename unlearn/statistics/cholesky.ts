// Systems of linear equations with a positive definite matrix, by Cholesky's factors.

/**
 * L with L L^T = A, in A's place; null where A is not positive definite to the precision of its numbers.
 * @param a A, [n, n] row by row; its lower triangle is read.
 * @param least what a pivot has to be above, as a share of its element on the diagonal.
 */
export function cholesky(a: Float64Array, least = 0): Float64Array | null {
  const n = Math.sqrt(a.length);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      if (i !== j) a[i * n + j] = sum / a[j * n + j];
      else if (!(sum > least * a[i * n + i])) return null;
      else a[i * n + i] = Math.sqrt(sum);
    }
  return a;
}

/** The solution of L L^T y = b, written over b. */
export function solveFactored(l: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i] -= l[i * n + k] * b[k];
    b[i] /= l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i] -= l[k * n + i] * b[k];
    b[i] /= l[i * n + i];
  }
  return b;
}

/** The solution of A y = b as `cholesky` and `solveFactored` give it; both are written over. */
export function solveCholesky(a: Float64Array, b: Float64Array, least = 0): Float64Array | null {
  const l = cholesky(a, least);
  return l && solveFactored(l, b);
}
