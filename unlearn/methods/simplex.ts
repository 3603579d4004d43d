// The linear programme of sparse re-weighting: min |x|_1 subject to A x = b, |x_i| <= bound, for an A of few rows and many
// columns. The primal simplex method with bounds (Dantzig 1963, chapter 18): x = u - v with 0 <= u, v <= bound, artificial
// variables to begin with, largest reduced cost enters, smallest index where a step is degenerate (Bland 1977). A basis
// has one column for each row, so it is solved anew at each step.

/** What the programme comes to. */
interface Programme {
  readonly solution: Float64Array;
  /** |A x - b|_1 / |b|_1 with rows scaled alike: 0 where the constraints can be met. */
  readonly remains: number;
}

const TOLERANCE = 1e-10;

/** @param matrix m rows of n numbers. */
export function simplex(
  matrix: readonly ArrayLike<number>[],
  right: readonly number[],
  bound: number,
): Programme {
  const m = matrix.length;
  const n = matrix[0].length;
  // Rows of one scale, and what is asked of them as 1 at most: tolerances mean the same everywhere.
  const sizes = matrix.map((row) => {
    let most = 0;
    for (let i = 0; i < n; i++) most = Math.max(most, Math.abs(row[i]));
    return most || 1;
  });
  const unit = Math.max(...right.map((b, c) => Math.abs(b) / sizes[c]));
  if (unit === 0) return { solution: new Float64Array(n), remains: 0 };
  const rows = matrix.map((row, c) => Float64Array.from(row, (v) => v / sizes[c]));
  const b = right.map((v, c) => v / sizes[c] / unit);
  const most = bound / unit;

  // u is 0 .. n - 1, v is n .. 2n - 1, artificial variable c is 2n + c.
  const entry = (j: number, c: number): number =>
    j < n ? rows[c][j] : j < 2 * n ? -rows[c][j - n] : j - 2 * n === c ? (b[c] < 0 ? -1 : 1) : 0;
  const column = (j: number): number[] => rows.map((_, c) => entry(j, c));
  const basis = Array.from({ length: m }, (_, c) => 2 * n + c);
  let values = b.map(Math.abs);
  const full = new Uint8Array(2 * n); // those outside of the basis that are at the bound, not at 0
  const inside = new Uint8Array(2 * n);

  const run = (cost: (j: number) => number, artificialBound: number): void => {
    let degenerate = false;
    for (;;) {
      const columns = basis.map(column);
      const y = solve(columns, basis.map(cost));
      // Of u and v at once: their entries differ in sign alone.
      const price = cost(0);
      const slack = TOLERANCE * (1 + Math.max(...y.map(Math.abs)));
      let enters = -1;
      let best = slack;
      for (let i = 0; i < n && !(degenerate && enters >= 0); i++) {
        let yA = 0;
        for (let c = 0; c < m; c++) yA += y[c] * rows[c][i];
        const gainU = inside[i] ? 0 : full[i] ? price - yA : yA - price;
        const gainV = inside[n + i] ? 0 : full[n + i] ? price + yA : -yA - price;
        if (gainU > best || gainV > best) {
          enters = gainU >= gainV ? i : n + i;
          best = Math.max(gainU, gainV);
        }
      }
      if (enters < 0) return;
      const sign = full[enters] ? -1 : 1;
      const direction = solve(transposed(columns), column(enters));
      let step = most;
      let leaves = -1;
      for (let k = 0; k < m; k++) {
        const slope = sign * direction[k];
        if (Math.abs(slope) < TOLERANCE) continue;
        const top = basis[k] < 2 * n ? most : artificialBound;
        const room = Math.max(0, slope > 0 ? values[k] / slope : (top - values[k]) / -slope);
        if (room < step || (room === step && leaves >= 0 && basis[k] < basis[leaves]))
          [step, leaves] = [room, k];
      }
      degenerate = step < TOLERANCE;
      values = values.map((v, k) => v - sign * step * direction[k]);
      if (leaves < 0) {
        full[enters] ^= 1;
        continue;
      }
      const out = basis[leaves];
      if (out < 2 * n) {
        inside[out] = 0;
        full[out] = sign * direction[leaves] < 0 ? 1 : 0;
      }
      values[leaves] = (full[enters] ? most : 0) + sign * step;
      inside[enters] = 1;
      full[enters] = 0;
      basis[leaves] = enters;
    }
  };

  run((j) => (j < 2 * n ? 0 : 1), Number.POSITIVE_INFINITY);
  const missing = basis.reduce((sum, j, k) => sum + (j < 2 * n ? 0 : values[k]), 0);
  const asked = b.reduce((sum, v) => sum + Math.abs(v), 0);
  const remains = missing > 1e-8 * asked ? missing / asked : 0;
  if (remains === 0) run((j) => (j < 2 * n ? 1 : 0), 0);

  const solution = new Float64Array(n);
  for (let i = 0; i < n; i++) solution[i] = unit * most * (full[i] - full[n + i]) || 0;
  for (const [k, j] of basis.entries())
    if (j < 2 * n) solution[j % n] += (j < n ? 1 : -1) * unit * Math.max(0, Math.min(most, values[k]));
  return { solution, remains };
}

const transposed = (rows: readonly (readonly number[])[]): number[][] =>
  rows.map((_, c) => rows.map((row) => row[c]));

/** Gaussian elimination with pivots; the rows of a basis are independent. */
function solve(rows: readonly (readonly number[])[], right: readonly number[]): number[] {
  const a = rows.map((row, i) => [...row, right[i]]);
  const m = a.length;
  for (let c = 0; c < m; c++) {
    let pivot = c;
    for (let r = c + 1; r < m; r++) if (Math.abs(a[r][c]) > Math.abs(a[pivot][c])) pivot = r;
    [a[c], a[pivot]] = [a[pivot], a[c]];
    for (let r = 0; r < m; r++) {
      const factor = r === c ? 0 : a[r][c] / a[c][c];
      if (factor !== 0) for (let k = c; k <= m; k++) a[r][k] -= factor * a[c][k];
    }
  }
  return a.map((row, i) => row[m] / row[i]);
}
