// The Gaussian (RBF) kernel k(a, b) = exp(-gamma |a - b|^2): rows with a bounded cache, and sums of kernels over many
// centres. Float64 throughout. It knows nothing of labels or of support vectors: those are smo.ts and svc.ts.

/** Points as rows of a [n, d] array. */
export interface Points {
  readonly x: Float64Array;
  readonly n: number;
  readonly d: number;
}

/** Rows of the kernel matrix, computed when asked for; the most recent ones stay within `cacheBytes`. */
export class RbfRows {
  private readonly cache = new Map<number, Float64Array>();
  private readonly capacity: number;
  private readonly points: Points;
  private readonly gamma: number;

  constructor(points: Points, gamma: number, cacheBytes: number) {
    this.points = points;
    this.gamma = gamma;
    this.capacity = Math.max(2, Math.floor(cacheBytes / (8 * Math.max(1, points.n))));
  }

  /** Row i, [n]. Borrowed: read it before asking for `capacity` (at least two) further rows. */
  row(i: number): Float64Array {
    const cached = this.cache.get(i);
    if (cached) {
      this.cache.delete(i);
      this.cache.set(i, cached);
      return cached;
    }
    let out: Float64Array | undefined;
    if (this.cache.size >= this.capacity) {
      const oldest = this.cache.keys().next().value as number;
      out = this.cache.get(oldest);
      this.cache.delete(oldest);
    }
    out ??= new Float64Array(this.points.n);
    this.fill(i, out);
    this.cache.set(i, out);
    return out;
  }

  private fill(i: number, out: Float64Array): void {
    const { x, n, d } = this.points;
    if (d === 1) {
      const centre = x[i];
      for (let t = 0; t < n; t++) out[t] = Math.exp(-this.gamma * (x[t] - centre) * (x[t] - centre));
      return;
    }
    for (let t = 0; t < n; t++) out[t] = Math.exp(-this.gamma * squaredDistance(x, t * d, x, i * d, d));
  }
}

/** |a_i - b_j|^2 of all pairs, [a.n, b.n]. */
export function squaredDistances(a: Points, b: Points): Float64Array {
  const out = new Float64Array(a.n * b.n);
  for (let i = 0; i < a.n; i++)
    for (let j = 0; j < b.n; j++) out[i * b.n + j] = squaredDistance(a.x, i * a.d, b.x, j * b.d, a.d);
  return out;
}

function squaredDistance(a: Float64Array, ai: number, b: Float64Array, bi: number, d: number): number {
  let sum = 0;
  for (let k = 0; k < d; k++) {
    const diff = a[ai + k] - b[bi + k];
    sum += diff * diff;
  }
  return sum;
}

/** Interpolation nodes per piece. A Gaussian over one length scale is then exact to about 1e-15 (see kernelSum). */
const NODES = 22;

/**
 * Weighted kernel sums u_t = sum_s weights_s k(at_t, centres_s), [at.n].
 *
 * On a line the sum is a smooth function: it is evaluated exactly at 22 Chebyshev nodes per length scale 1/sqrt(gamma)
 * and interpolated (barycentric form). The remainder of degree-21 interpolation of a Gaussian over one length scale is
 * below 1e-19 times sum |weights|, so only rounding is left. Ours; in more dimensions the sum is direct.
 */
export function kernelSum(at: Points, centres: Points, weights: Float64Array, gamma: number): Float64Array {
  const used = nonZero(centres, weights);
  if (at.d !== 1 || at.n === 0) return directSum(at, used.points, used.weights, gamma);
  let lo = Infinity;
  let hi = -Infinity;
  for (let t = 0; t < at.n; t++) {
    if (at.x[t] < lo) lo = at.x[t];
    if (at.x[t] > hi) hi = at.x[t];
  }
  const pieces = Math.max(1, Math.ceil((hi - lo) * Math.sqrt(gamma)));
  if (!(pieces * NODES < at.n)) return directSum(at, used.points, used.weights, gamma);
  const width = (hi - lo) / pieces || 1;
  const nodes = new Float64Array(pieces * NODES);
  const sign = new Float64Array(NODES);
  for (let k = 0; k < NODES; k++) {
    const angle = ((2 * k + 1) * Math.PI) / (2 * NODES);
    sign[k] = (k % 2 === 0 ? 1 : -1) * Math.sin(angle);
    for (let p = 0; p < pieces; p++) nodes[p * NODES + k] = lo + width * (p + 0.5 + 0.5 * Math.cos(angle));
  }
  const values = directSum({ x: nodes, n: nodes.length, d: 1 }, used.points, used.weights, gamma);
  const out = new Float64Array(at.n);
  for (let t = 0; t < at.n; t++) {
    const base = Math.min(pieces - 1, Math.floor((at.x[t] - lo) / width)) * NODES;
    let above = 0;
    let below = 0;
    for (let k = 0; k < NODES; k++) {
      const distance = at.x[t] - nodes[base + k];
      if (distance === 0) {
        above = values[base + k];
        below = 1;
        break;
      }
      const share = sign[k] / distance;
      above += share * values[base + k];
      below += share;
    }
    out[t] = above / below;
  }
  return out;
}

function directSum(at: Points, centres: Points, weights: Float64Array, gamma: number): Float64Array {
  const out = new Float64Array(at.n);
  for (let t = 0; t < at.n; t++) {
    let sum = 0;
    for (let s = 0; s < centres.n; s++) {
      sum += weights[s] * Math.exp(-gamma * squaredDistance(at.x, t * at.d, centres.x, s * at.d, at.d));
    }
    out[t] = sum;
  }
  return out;
}

function nonZero(centres: Points, weights: Float64Array): { points: Points; weights: Float64Array } {
  const { x, n, d } = centres;
  let count = 0;
  for (let s = 0; s < n; s++) if (weights[s] !== 0) count++;
  const kept = new Float64Array(count * d);
  const keptWeights = new Float64Array(count);
  for (let s = 0, k = 0; s < n; s++) {
    if (weights[s] === 0) continue;
    for (let j = 0; j < d; j++) kept[k * d + j] = x[s * d + j];
    keptWeights[k++] = weights[s];
  }
  return { points: { x: kept, n: count, d }, weights: keptWeights };
}
