// Made-up features and logits for the audit tests, from a seed.

/** A small generator (xorshift32) with uniform and normal draws: enough for tests, not for anything else. */
export function draws(seed: number) {
  let state = seed * 2654435761 || 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** n scalars, the first half of members: what confidences and entropies of real networks look like. */
export function membershipScalars(
  shape: 'confidence' | 'entropy' | 'same' | 'wide',
  n: number,
  seed: number,
) {
  const { uniform, normal } = draws(seed);
  const of = {
    confidence: (member: boolean) => {
      if (member) return sigmoid(9 + 3 * normal());
      return sigmoid(uniform() < 0.08 ? -2 + 3 * normal() : 7 + 3.5 * normal());
    },
    entropy: (member: boolean) => Math.min(2.3, (member ? 0.05 : 0.15) * Math.exp(1.2 * normal())),
    same: () => sigmoid(2 * normal()),
    wide: (member: boolean) => (member ? 20 + 10 * normal() : 10 + 15 * normal()),
  }[shape];
  const labels = Uint8Array.from({ length: n }, (_, t) => (t < n / 2 ? 1 : 0));
  const x = Float64Array.from({ length: n }, (_, t) => Math.fround(of(t < n / 2)));
  return { x, labels };
}

/** Logits of n samples: label t mod K, its logit raised by `margin` plus noise. */
export function madeLogits(n: number, K: number, margin: number, seed: number, label = (t: number) => t % K) {
  const { normal } = draws(seed);
  const labels = Int32Array.from({ length: n }, (_, t) => label(t));
  const logits = Float32Array.from({ length: n * K }, () => normal());
  for (let t = 0; t < n; t++) logits[t * K + labels[t]] += margin + normal();
  return { logits, labels };
}

/** Logits of n samples of which the true label's alone is not 0: normal, the same whoever was trained on them. */
export function overlapping(n: number, K: number, seed: number) {
  const { normal } = draws(seed);
  const labels = Int32Array.from({ length: n }, (_, t) => t % K);
  const logits = new Float32Array(n * K);
  for (let t = 0; t < n; t++) logits[t * K + labels[t]] = 6 + 3 * normal();
  return { logits, labels };
}
