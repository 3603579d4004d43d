// Systems of linear equations with a positive definite matrix, by Cholesky's factors.

/**
 * The solution of A y = b; null where A is not positive definite to the precision of its numbers.
 * @param a A, [n, n] row by row; its lower triangle is read, and written over.
 * @param b [n]; the solution is written over it.
 * @param least what a pivot has to be above, as a share of its element on the diagonal.
 */
export function solveCholesky(a: Float64Array, b: Float64Array, least = 0): Float64Array | null {
  const n = b.length;
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      if (i !== j) a[i * n + j] = sum / a[j * n + j];
      else if (!(sum > least * a[i * n + i])) return null;
      else a[i * n + i] = Math.sqrt(sum);
    }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}
