// Small statistics of the influence bench.

export const mean = (a: readonly number[]): number => a.reduce((sum, v) => sum + v, 0) / a.length;

/** Of a sample. */
export const sd = (a: readonly number[]): number =>
  Math.sqrt(a.reduce((sum, v) => sum + (v - mean(a)) ** 2, 0) / (a.length - 1));

export const distance = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));

export const percent = (x: number): string => `${(100 * x).toPrecision(3)}%`;

/** Places in ascending order, equal values sharing theirs. */
function ranks(values: ArrayLike<number>): number[] {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const out = new Array<number>(order.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let k = from; k < to; k++) out[order[k]] = (from + to - 1) / 2;
  }
  return out;
}

/** Rank correlation. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [x, y] = [ranks(a), ranks(b)];
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) ** 2;
    yy += (y[i] - my) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}
