// Anti-aliased strokes and fills on a small square grid, from additions, multiplications and divisions alone: the
// same bytes on every machine. Coverage comes from squared distances, (r^2 - d^2) / 2r, which is r - d where d is
// near r; so no square root is needed. Not a drawing library: one shape at a time, no joins, no dashes.

/** Squared distances to a polyline and the inside of a polygon, for the pixel centres of a size x size grid. */
export class Mask {
  readonly #squared: Float64Array;
  readonly #inside: Uint8Array;

  constructor(readonly size: number) {
    this.#squared = new Float64Array(size * size);
    this.#inside = new Uint8Array(size * size);
  }

  clear(): void {
    this.#squared.fill(1e9);
    this.#inside.fill(0);
  }

  /** Adds a polyline (x, y pairs in pixels); distances are right up to `reach` pixels from it. */
  stroke(points: ArrayLike<number>, closed: boolean, reach: number): void {
    const n = points.length / 2;
    for (let i = closed ? 0 : 1; i < n; i++) {
      const from = 2 * ((i + n - 1) % n);
      this.#segment(points[from], points[from + 1], points[2 * i], points[2 * i + 1], reach);
    }
  }

  #segment(x0: number, y0: number, x1: number, y1: number, reach: number): void {
    const { size } = this;
    const squared = this.#squared;
    const dx = x1 - x0;
    const dy = y1 - y0;
    const length = dx * dx + dy * dy;
    const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
    const right = Math.min(size - 1, Math.ceil(Math.max(x0, x1) + reach));
    const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
    const bottom = Math.min(size - 1, Math.ceil(Math.max(y0, y1) + reach));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const px = x + 0.5 - x0;
        const py = y + 0.5 - y0;
        const along = length > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
        const ex = px - along * dx;
        const ey = py - along * dy;
        const d = ex * ex + ey * ey;
        if (d < squared[y * size + x]) squared[y * size + x] = d;
      }
    }
  }

  /** Marks the inside of a polygon (even-odd rule). */
  fill(points: ArrayLike<number>): void {
    const { size } = this;
    const n = points.length / 2;
    for (let y = 0; y < size; y++) {
      const centre = y + 0.5;
      for (let i = 0; i < n; i++) {
        const from = 2 * ((i + n - 1) % n);
        const y0 = points[from + 1];
        const y1 = points[2 * i + 1];
        if (y0 <= centre === y1 <= centre) continue;
        const x0 = points[from];
        const crossing = x0 + ((points[2 * i] - x0) * (centre - y0)) / (y1 - y0);
        const first = Math.max(0, Math.ceil(crossing - 0.5));
        for (let x = first; x < size; x++) this.#inside[y * size + x] ^= 1;
      }
    }
  }

  isInside(pixel: number): boolean {
    return this.#inside[pixel] === 1;
  }

  /** Share of the pixel, 0 .. 1, that a stroke of the given radius covers. */
  strokeCoverage(pixel: number, radius: number): number {
    const cover = (radius * radius - this.#squared[pixel]) / (2 * radius) + 0.5;
    return cover <= 0 ? 0 : Math.min(cover, 1);
  }
}
