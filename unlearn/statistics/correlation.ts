// How alike two lists of numbers are up to scale and shift.

/** Pearson's correlation, -1 to 1; null where one of the lists is constant or not finite. */
export function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  const n = x.length;
  let [mx, my] = [0, 0];
  for (let i = 0; i < n; i++) {
    mx += x[i] / n;
    my += y[i] / n;
  }
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    xx += (x[i] - mx) ** 2;
    yy += (y[i] - my) ** 2;
    xy += (x[i] - mx) * (y[i] - my);
  }
  const size = Math.sqrt(xx * yy);
  return size > 0 && Number.isFinite(size) ? Math.max(-1, Math.min(1, xy / size)) : null;
}
