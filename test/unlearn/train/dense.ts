// Small dense linear algebra in plain float64, to compare with.

/** The solution of rows x = right, by Gaussian elimination with pivots. */
export function eliminate(rows: readonly (readonly number[])[], right: readonly number[]): number[] {
  const m = rows.map((row, i) => [...row, right[i]]);
  const n = m.length;
  for (let c = 0; c < n; c++) {
    const pivot = m
      .slice(c)
      .reduce((best, row, i) => (Math.abs(row[c]) > Math.abs(m[best][c]) ? c + i : best), c);
    [m[c], m[pivot]] = [m[pivot], m[c]];
    for (let r = 0; r < n; r++)
      if (r !== c) {
        const factor = m[r][c] / m[c][c];
        for (let k = c; k <= n; k++) m[r][k] -= factor * m[c][k];
      }
  }
  return m.map((row, i) => row[n] / row[i]);
}

/** Euclidean. */
export const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));
