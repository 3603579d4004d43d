// A picture of many-dimensional points in two dimensions: their first two principal components. Linear, so that what is apart in
// the picture is apart in the features; what is together there need not be.

/** Where points fall. */
interface Projection {
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Share of the variance that the two directions hold, 0 to 1. */
  readonly share: number;
}

const ROUNDS = 300;

/**
 * Projects points, [n, d] row by row, on their first two principal components. Each component's largest loading in size is
 * positive, so that the same points give the same picture. Null for fewer than 3 points, points that are not finite, or all the same.
 */
export function principalPlane(values: ArrayLike<number>, n: number, d: number): Projection | null {
  if (n < 3) return null;
  const centred = Float64Array.from({ length: n * d }, (_, i) => values[i]);
  for (let k = 0; k < d; k++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += centred[i * d + k] / n;
    for (let i = 0; i < n; i++) centred[i * d + k] -= mean;
  }
  const total = centred.reduce((sum, value) => sum + value * value, 0);
  if (!(total > 0 && Number.isFinite(total))) return null;
  const first = component(centred, n, d, null);
  const second = component(centred, n, d, first);
  const onto = (axis: Float64Array) =>
    Float64Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += centred[i * d + k] * axis[k];
      return sum;
    });
  const [x, y] = [onto(first), onto(second)];
  const held = [...x, ...y].reduce((sum, value) => sum + value * value, 0);
  return { x, y, share: Math.min(1, held / total) };
}

/** By power iteration from a fixed start, at right angles to `before`. */
function component(centred: Float64Array, n: number, d: number, before: Float64Array | null): Float64Array {
  // The point farthest from the middle, beside a little of every direction.
  let axis = Float64Array.from({ length: d }, (_, k) => 1e-3 * (1 + (k % 7)));
  let far = 0;
  for (let i = 0; i < n; i++) {
    const row = centred.subarray(i * d, (i + 1) * d);
    const off = before ? row.reduce((sum, value, k) => sum + value * before[k], 0) : 0;
    const size = row.reduce((sum, value, k) => sum + (value - off * (before?.[k] ?? 0)) ** 2, 0);
    if (size > far) {
      far = size;
      axis = axis.map((least, k) => least * 1e-6 + row[k]);
    }
  }
  const settle = () => {
    if (before) {
      const off = axis.reduce((sum, value, k) => sum + value * before[k], 0);
      axis = axis.map((value, k) => value - off * before[k]);
    }
    const size = Math.hypot(...axis);
    axis = size > 0 ? axis.map((value) => value / size) : axis;
  };
  settle();
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(d);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += centred[i * d + k] * axis[k];
      for (let k = 0; k < d; k++) next[k] += sum * centred[i * d + k];
    }
    axis = next;
    settle();
  }
  const largest = axis.reduce((best, value, k) => (Math.abs(value) > Math.abs(axis[best]) ? k : best), 0);
  return axis[largest] < 0 ? axis.map((value) => -value) : axis;
}
