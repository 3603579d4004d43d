// KLoM: how far the margins of unlearned models on a sample are from those of models that never saw it, as distributions over
// models. Georgiev et al., "Attribute-to-Delete" (ICLR 2025). Released binning has an open last bin, which drops every margin
// equal to the largest; here it is closed.

import { momentsOf } from './spread.ts';

/** Margins are clipped to plus and minus this. */
export const MARGIN_CLIP = 100;
/** Least probability of a bin of oracle models where unlearned ones fall into it. */
const MIN_PROBABILITY = 1e-5;
/** Below it a histogram of 20 bins has mostly empty ones. */
const MIN_MODELS = 50;

/** Bins for so many models: 20, or 10 where a side has fewer than 50 (ours). */
export const klomBins = (models: number): number => (models < MIN_MODELS ? 10 : 20);

/**
 * KL(unlearned || oracle) of one sample in nats, 0 to ln 1e5 = 11.5: histograms of equal bins over the joint range, the oracle's
 * floored at 1e-5 and made to sum to 1 again, as the released code does by scipy's entropy. Not 0 for equal distributions: see
 * the floor of two halves of the oracle.
 * @throws RangeError where a side has no models.
 */
export function klom(
  unlearned: ArrayLike<number>,
  oracle: ArrayLike<number>,
  bins = klomBins(Math.min(unlearned.length, oracle.length)),
): number {
  if (unlearned.length === 0 || oracle.length === 0)
    throw new RangeError(`klom: ${unlearned.length} unlearned and ${oracle.length} oracle models`);
  const [u, r] = [unlearned, oracle].map((side) => Array.from(side, clip));
  const low = Math.min(...u, ...r);
  const high = Math.max(...u, ...r);
  const width = (high > low ? high - low : 1) / bins;
  const edges = Array.from({ length: bins }, (_, b) => low + width * b);
  const shares = (values: readonly number[]) => {
    const counts = new Float64Array(bins);
    for (const value of values) {
      let bin = Math.min(bins - 1, Math.floor((value - low) / width));
      // The division may round over an edge: the edges decide.
      if (value < edges[bin]) bin--;
      else if (bin < bins - 1 && value >= edges[bin + 1]) bin++;
      counts[bin]++;
    }
    return counts.map((count) => count / values.length);
  };
  const p = shares(u);
  const q = shares(r).map((share, b) => (p[b] > 0 ? Math.max(MIN_PROBABILITY, share) : share));
  const total = q.reduce((sum, share) => sum + share, 0);
  return p.reduce((sum, share, b) => (share > 0 ? sum + share * Math.log((share * total) / q[b]) : sum), 0);
}

/** Variances below it are taken for it. */
const LEAST_VARIANCE = 1e-6;

/**
 * The same between Gaussians of the same means and variances (with n - 1), for few models: ours.
 * ln(s_r / s_u) + (s_u^2 + (m_u - m_r)^2) / (2 s_r^2) - 1/2, in nats.
 * @throws RangeError where a side has fewer than two models.
 */
export function gaussianKlom(unlearned: ArrayLike<number>, oracle: ArrayLike<number>): number {
  const [[mu, vu], [mr, vr]] = [unlearned, oracle].map((side) => {
    const values = Array.from(side, clip);
    if (values.length < 2) throw new RangeError(`gaussianKlom: ${values.length} models, expected 2 or more`);
    const { n, mean, squares } = momentsOf(values);
    return [mean, Math.max(LEAST_VARIANCE, squares / (n - 1))];
  });
  return 0.5 * (Math.log(vr / vu) + (vu + (mu - mr) ** 2) / vr - 1);
}

/**
 * The same from a single model that unlearned and a few oracles: ours. Margins of a sample are taken to be Gaussian over trainings,
 * their variance the same for all samples and on both sides: s^2, pooled over the oracles. Then the divergence is
 * d^2 / (2 s^2), d being the distance of the two means, and ((m_u - mean m_r)^2 / s^2 - 1 - 1 / models) / 2 estimates it without
 * bias, as far as s^2 is right: for one more oracle it is 0 in the mean, and may be below 0. One number a sample, in nats.
 * @param own margins of the model, [samples].
 * @param oracles margins of each oracle, [models][samples].
 * @throws RangeError where there are fewer than two oracles, or sizes differ.
 */
export function sharedKlom(own: ArrayLike<number>, oracles: readonly ArrayLike<number>[]): Float64Array {
  const models = oracles.length;
  if (models < 2 || oracles.some(({ length }) => length !== own.length))
    throw new RangeError(
      `sharedKlom: expected two oracles or more on ${own.length} samples, got ${oracles.map(({ length }) => length).join(', ')}`,
    );
  const moments = Array.from(own, (_, i) => momentsOf(oracles.map((margins) => clip(margins[i]))));
  const squares = moments.reduce((sum, one) => sum + one.squares, 0);
  const variance = Math.max(LEAST_VARIANCE, squares / ((models - 1) * own.length));
  return Float64Array.from(
    own,
    (margin, i) => ((clip(margin) - moments[i].mean) ** 2 / variance - 1 - 1 / models) / 2,
  );
}

const clip = (margin: number): number => Math.max(-MARGIN_CLIP, Math.min(MARGIN_CLIP, margin));

/** Every second value from the first, and from the second: two halves that share none. */
export function halves(values: ArrayLike<number>): [Float64Array, Float64Array] {
  const all = Float64Array.from(values);
  return [all.filter((_, i) => i % 2 === 0), all.filter((_, i) => i % 2 === 1)];
}
