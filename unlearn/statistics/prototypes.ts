// The prototype attack on plain arrays: rows of a linear layer are mixed with prototypes of their classes, and accuracies taken
// for every way of mixing. Forms cosine and l2 and the mixing are those of the released code of Seung-B/Spotter-Unlearning.

import type { Points } from './rbf.ts';

/** What becomes of a row: towards the prototype, towards it at the mean length of the rows, or towards nearest-mean. */
export const FORMS = ['cosine', 'scaled', 'l2'] as const;
/** How far a row goes towards it. */
export const ALPHAS = [0.25, 0.5, 0.8, 1] as const;

/** A linear layer. */
interface Layer {
  /** [features, classes]. */
  readonly weight: Float64Array;
  /** [classes]. */
  readonly bias: Float64Array;
}

/** Features of a set with what the layer says of them. */
export interface Answered {
  /** Features, [n, features]. */
  readonly points: Points;
  /** Classes, [n]. */
  readonly labels: ArrayLike<number>;
  /** [n, classes]. */
  readonly logits: Float64Array;
}

/** W'h + b of each row. */
export function answeredBy({ weight, bias }: Layer, points: Points, labels: ArrayLike<number>): Answered {
  const [K, { x, n, d }] = [bias.length, points];
  const logits = new Float64Array(n * K);
  for (let t = 0; t < n; t++)
    for (let k = 0; k < K; k++) {
      let sum = bias[k];
      for (let j = 0; j < d; j++) sum += x[t * d + j] * weight[j * K + k];
      logits[t * K + k] = sum;
    }
  return { points, labels, logits };
}

/** Mean of the rows, less a centre where one is given, brought to length 1; all 0 where nothing is left. */
export function prototypeOf({ x, d }: Points, rows: ArrayLike<number>, centre?: Float64Array): Float64Array {
  const sum = new Float64Array(d);
  for (let r = 0; r < rows.length; r++) for (let j = 0; j < d; j++) sum[j] += x[rows[r] * d + j];
  if (centre) for (let j = 0; j < d; j++) sum[j] -= rows.length * centre[j];
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}

/** Mean of all rows. */
export function centreOf({ x, n, d }: Points): Float64Array {
  const mean = new Float64Array(d);
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n;
  return mean;
}

/** Mean length of the layer's rows, one a class. */
export function rowLength({ weight, bias }: Layer): number {
  const K = bias.length;
  let sum = 0;
  for (let k = 0; k < K; k++)
    sum += Math.hypot(...Array.from({ length: weight.length / K }, (_, j) => weight[j * K + k]));
  return sum / K;
}

/**
 * Percent of a set's samples named by their label for each form and alpha, in the order of FORMS, then of ALPHAS, where row
 * and bias of each class c of `prototypes` become alpha (t, beta) + (1 - alpha) (w_c, b_c): t = p and beta = 0 for cosine, p
 * times `length` and 0 for scaled, 2 p and -1 for l2, p being the class's prototype.
 */
export function attackedAccuracies(
  set: Answered,
  prototypes: ReadonlyMap<number, Float64Array>,
  length: number,
): number[] {
  const { points, labels, logits } = set;
  const { x, n, d } = points;
  const K = logits.length / n;
  const classes = [...prototypes];
  const hits = new Array<number>(FORMS.length * ALPHAS.length).fill(0);
  const targets = new Float64Array(FORMS.length);
  for (let t = 0; t < n; t++) {
    let [other, largest] = [-1, -Infinity];
    for (let k = 0; k < K; k++)
      if (!prototypes.has(k) && logits[t * K + k] > largest) [other, largest] = [k, logits[t * K + k]];
    const best = hits.map(() => ({ said: other, value: largest }));
    for (const [c, prototype] of classes) {
      let along = 0;
      for (let j = 0; j < d; j++) along += x[t * d + j] * prototype[j];
      targets.set([along, length * along, 2 * along - 1]);
      for (let i = 0; i < best.length; i++) {
        const alpha = ALPHAS[i % ALPHAS.length];
        const value = alpha * targets[Math.floor(i / ALPHAS.length)] + (1 - alpha) * logits[t * K + c];
        if (value > best[i].value) best[i] = { said: c, value };
      }
    }
    for (let i = 0; i < best.length; i++) if (best[i].said === labels[t]) hits[i]++;
  }
  return hits.map((count) => (100 * count) / n);
}

/** Of each sample: the likeliest class that has no new row, its logit, and the same of those that have one, without bias. */
function rivals(
  { points, logits, labels }: Answered,
  rows: ReadonlyMap<number, Float64Array>,
  length: number,
) {
  const { x, d } = points;
  const K = logits.length / labels.length;
  return Array.from(labels, (label, t) => {
    const [kept, gone] = [
      { said: -1, value: -Infinity },
      { said: -1, value: -Infinity },
    ];
    const offer = (to: typeof kept, said: number, value: number) => {
      if (value > to.value) Object.assign(to, { said, value });
    };
    for (let k = 0; k < K; k++) if (!rows.has(k)) offer(kept, k, logits[t * K + k]);
    for (const [c, row] of rows) {
      let along = 0;
      for (let j = 0; j < d; j++) along += x[t * d + j] * row[j];
      offer(gone, c, length * along);
    }
    return { label, kept, gone };
  });
}

/**
 * The same for rows of that length along directions that leave out what all classes share, with the one bias for all of them
 * that costs `allowed` points of accuracy on R and no more. Ours: features behind a ReLU have a large common part, which a
 * plain prototype takes for the class.
 */
export function centredAccuracies(
  retain: Answered,
  sets: readonly Answered[],
  directions: ReadonlyMap<number, Float64Array>,
  length: number,
  allowed: number,
): number[] {
  const slack = rivals(retain, directions, length)
    .filter(({ label, kept }) => kept.said === label)
    .map(({ kept, gone }) => kept.value - gone.value)
    .sort((a, b) => a - b);
  const lost = Math.floor((allowed / 100) * retain.labels.length);
  const bias = slack.length === 0 ? 0 : slack[Math.min(lost, slack.length - 1)];
  return sets.map((set) => {
    const said = rivals(set, directions, length).filter(
      ({ label, kept, gone }) => (gone.value + bias > kept.value ? gone.said : kept.said) === label,
    );
    return (100 * said.length) / set.labels.length;
  });
}

/** Percent of a set's samples named by their label by the layer as it is. */
export function plainAccuracy({ labels, logits }: Answered): number {
  const n = labels.length;
  const K = logits.length / n;
  let hits = 0;
  for (let t = 0; t < n; t++) {
    let best = 0;
    for (let k = 1; k < K; k++) if (logits[t * K + k] > logits[t * K + best]) best = k;
    if (best === labels[t]) hits++;
  }
  return (100 * hits) / n;
}
