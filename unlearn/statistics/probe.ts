// A linear probe: logistic regression on standardised features, every class with the same weight, its penalty chosen on samples
// held out from its own training set. Ours; the idea of reading off frozen features what a network still knows is old.

import { stratified } from '../random.ts';
import { fitLogistic, type Logistic } from './logistic.ts';
import { selectPoints, standardiser } from './points.ts';
import type { Points } from './rbf.ts';

/** From the strongest on: each answer is a good start for the next. */
const PENALTIES = [1e-1, 1e-2, 1e-3, 1e-4];
/** Gradient that counts as none: from here on accuracies move by a tenth of a point, and the way to 1e-5 is twice as long. */
const TOLERANCE = 1e-4;

export interface Probe {
  /** The regression, on standardised features. */
  readonly model: Logistic;
  /** Logits [n, classes] of rows as they come. */
  scores(x: Points): Float64Array;
  /** Classes of rows as they come. */
  predict(x: Points): Int32Array;
}

/** Fits the probe with a given penalty. Rare classes weigh as much as others: a class of one sample is not drowned. */
export function fitProbe(
  x: Points,
  labels: ArrayLike<number>,
  classes: number,
  l2: number,
  start?: Logistic,
): Probe {
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  const sampleWeights = Float64Array.from(labels, (label) => 1 / counts[label]);
  const scale = standardiser(x);
  const model = fitLogistic(scale(x), labels, { classes, l2, sampleWeights, start, tolerance: TOLERANCE });
  return {
    model,
    scores: (rows) => model.scores(scale(rows)),
    predict: (rows) => model.predict(scale(rows)),
  };
}

/** Of four penalties the one with the least cross-entropy on a tenth of the samples, held out evenly over the classes. */
export function choosePenalty(x: Points, labels: ArrayLike<number>, classes: number, seed: number): number {
  const held = new Set(stratified(labels, Math.max(1, Math.round(labels.length / 10)), seed, 0x6c32));
  const all = Array.from({ length: x.n }, (_, i) => i);
  const [fitted, judged] = [all.filter((i) => !held.has(i)), all.filter((i) => held.has(i))];
  const [own, others] = [fitted, judged].map((rows) => rows.map((i) => labels[i]));
  const [points, unseen] = [selectPoints(x, fitted), selectPoints(x, judged)];
  let best = { l2: PENALTIES[0], loss: Infinity };
  let start: Logistic | undefined;
  for (const l2 of PENALTIES) {
    const probe = fitProbe(points, own, classes, l2, start);
    start = probe.model;
    const loss = crossEntropy(probe.scores(unseen), others, classes);
    if (loss < best.loss) best = { l2, loss };
  }
  return best.l2;
}

/** Mean over the rows, in nats. */
function crossEntropy(scores: Float64Array, labels: readonly number[], K: number): number {
  let sum = 0;
  for (const [i, label] of labels.entries()) {
    const row = scores.subarray(i * K, (i + 1) * K);
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
    sum += max - row[label] + Math.log(row.reduce((all, value) => all + Math.exp(value - max), 0));
  }
  return sum / labels.length;
}

/** Out-of-fold log-odds of the second of two classes, for each row: no row is judged by a probe that was fitted on it. */
export function crossFitted(x: Points, labels: ArrayLike<number>, folds: number, seed: number): Float64Array {
  const out = new Float64Array(x.n);
  const fold = new Int32Array(x.n).fill(-1);
  let left = Array.from({ length: x.n }, (_, i) => i);
  for (let f = 0; f < folds; f++) {
    const some = Math.round(left.length / (folds - f));
    const drawn = stratified(
      left.map((i) => labels[i]),
      some,
      seed,
      f,
    );
    for (const at of drawn) fold[left[at]] = f;
    left = left.filter((i) => fold[i] < 0);
  }
  for (let f = 0; f < folds; f++) {
    const rows = (of: (fold: number) => boolean) =>
      Array.from({ length: x.n }, (_, i) => i).filter((i) => of(fold[i]));
    const [fitted, judged] = [rows((of) => of !== f), rows((of) => of === f)];
    const own = fitted.map((i) => labels[i]);
    const points = selectPoints(x, fitted);
    const probe = fitProbe(points, own, 2, choosePenalty(points, own, 2, seed));
    const scores = probe.scores(selectPoints(x, judged));
    for (const [r, i] of judged.entries()) out[i] = scores[2 * r + 1] - scores[2 * r];
  }
  return out;
}
