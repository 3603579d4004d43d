// What an audit sees of a model: logits and true labels as plain arrays, and the stable functions of them (softmax,
// entropy, confidence, accuracy). No tensors, no model, no engine.

/** A model's answers on n samples: logits [n, K] row by row, labels [n] in 0..K-1. */
export interface Outputs {
  readonly logits: Float32Array;
  readonly labels: ArrayLike<number>;
}

/**
 * Fails early on shapes that disagree.
 * @throws RangeError when logits are not [labels.length, K] or a label is not an integer in 0..K-1.
 */
export function checkOutputs(name: string, { logits, labels }: Outputs, K: number): void {
  if (!Number.isInteger(K) || K < 2)
    throw new RangeError(`${name}: K must be an integer of at least 2, got ${K}`);
  if (logits.length !== labels.length * K) {
    throw new RangeError(
      `${name}: expected ${labels.length} x ${K} = ${labels.length * K} logits, got ${logits.length}`,
    );
  }
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= K) {
      throw new RangeError(`${name}: label ${i} is ${label}, expected an integer in 0..${K - 1}`);
    }
  }
}

/** Softmax of row i, [K], in float64. A row with a NaN or +Infinity says nothing: it becomes uniform (see nonFinite). */
export function softmaxRow(logits: Float32Array, K: number, i: number): Float64Array {
  const p = new Float64Array(K);
  const base = i * K;
  let max = -Infinity;
  for (let k = 0; k < K; k++) max = Math.max(max, logits[base + k]);
  if (!Number.isFinite(max)) return p.fill(1 / K);
  let sum = 0;
  for (let k = 0; k < K; k++) sum += p[k] = Math.exp(logits[base + k] - max);
  for (let k = 0; k < K; k++) p[k] /= sum;
  return p;
}

/** Rows in which the model gives no usable answer: some logit NaN or +Infinity, or all -Infinity. */
export function nonFinite({ logits, labels }: Outputs, K: number): number {
  let count = 0;
  for (let i = 0; i < labels.length; i++) {
    let max = -Infinity;
    for (let k = 0; k < K; k++) max = Math.max(max, logits[i * K + k]);
    if (!Number.isFinite(max)) count++;
  }
  return count;
}

/** Predicted class of each row, [n]; the first of equals; -1 where the row gives no usable answer. */
export function predictions({ logits, labels }: Outputs, K: number): Int32Array {
  return Int32Array.from({ length: labels.length }, (_, i) => {
    let best = 0;
    let max = -Infinity;
    for (let k = 0; k < K; k++) {
      const value = logits[i * K + k];
      if (Number.isNaN(value) || value === Infinity) return -1;
      if (value > max) {
        max = value;
        best = k;
      }
    }
    return max === -Infinity ? -1 : best;
  });
}

/** Share of rows predicted as their label, percent; NaN when there are none. Rows without an answer count as wrong. */
export function accuracy(outputs: Outputs, K: number): number {
  const predicted = predictions(outputs, K);
  let hits = 0;
  for (let i = 0; i < predicted.length; i++) if (predicted[i] === outputs.labels[i]) hits++;
  return (100 * hits) / predicted.length;
}

/** Softmax probability of the true label, [n], 0..1. */
export function trueConfidence({ logits, labels }: Outputs, K: number): Float64Array {
  return Float64Array.from({ length: labels.length }, (_, i) => softmaxRow(logits, K, i)[labels[i]]);
}

/** Entropy of the softmax in nats, [n], 0..ln K; uses p log p = 0 at p = 0. */
export function entropy({ logits, labels }: Outputs, K: number): Float64Array {
  return Float64Array.from({ length: labels.length }, (_, i) => {
    let sum = 0;
    for (const p of softmaxRow(logits, K, i)) if (p > 0) sum -= p * Math.log(p);
    return Math.max(0, Math.min(sum, Math.log(K)));
  });
}

/**
 * Logit-scaled confidence log(p_y / (1 - p_y)) = z_y - logsumexp of the other logits, [n]: unbounded, near normal over
 * models, and exact where p_y rounds to 1. Source: Carlini et al. 2022 (LiRA). Even odds over classes for uniform rows.
 */
export function logitConfidence({ logits, labels }: Outputs, K: number): Float64Array {
  return Float64Array.from({ length: labels.length }, (_, i) => {
    const base = i * K;
    let max = -Infinity;
    let bad = false;
    for (let k = 0; k < K; k++) {
      const value = logits[base + k];
      bad ||= Number.isNaN(value) || value === Infinity;
      if (k !== labels[i]) max = Math.max(max, value);
    }
    if (bad) return -Math.log(K - 1);
    if (max === -Infinity) return logits[base + labels[i]] === -Infinity ? -Math.log(K - 1) : Infinity;
    let sum = 0;
    for (let k = 0; k < K; k++) if (k !== labels[i]) sum += Math.exp(logits[base + k] - max);
    return logits[base + labels[i]] - max - Math.log(sum);
  });
}

/** The rows named, in that order. */
export function selectRows({ logits, labels }: Outputs, K: number, rows: ArrayLike<number>): Outputs {
  const picked = new Float32Array(rows.length * K);
  const pickedLabels = new Int32Array(rows.length);
  for (let r = 0; r < rows.length; r++) {
    picked.set(logits.subarray(rows[r] * K, (rows[r] + 1) * K), r * K);
    pickedLabels[r] = labels[rows[r]];
  }
  return { logits: picked, labels: pickedLabels };
}

/** Rows whose label satisfies the test, in order. */
export function rowsWhere(labels: ArrayLike<number>, test: (label: number) => boolean): Int32Array {
  const rows: number[] = [];
  for (let i = 0; i < labels.length; i++) if (test(labels[i])) rows.push(i);
  return Int32Array.from(rows);
}

/** Rows parted by their class. */
interface ByClass {
  /** Those of the classes that stay, in order. */
  readonly kept: Int32Array;
  /** Those of the classes that go, in order. */
  readonly gone: Int32Array;
}

/** How a test set is split where whole classes are forgotten: by images and by answers alike. */
export function rowsByClass(labels: ArrayLike<number>, goneClasses: readonly number[]): ByClass {
  const goes = new Set(goneClasses);
  return {
    kept: rowsWhere(labels, (label) => !goes.has(label)),
    gone: rowsWhere(labels, (label) => goes.has(label)),
  };
}
