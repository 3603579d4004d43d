// What audits of features and answers share: features as points, rows of several sets with the same mix of classes, and the
// retrained models that one model is compared with.

import { permutation } from '../random.ts';
import { allFinite, pointsOf } from '../statistics/points.ts';
import type { Points } from '../statistics/rbf.ts';
import { yieldToEventLoop } from '../train/meter.ts';
import type { AuditInput } from './record.ts';
import type { Features, Subject } from './subject.ts';

/** Features in float64; null where some are not finite, as those of a network that diverged are. */
export function finitePoints({ values, width }: Features): Points | null {
  const points = pointsOf(values, width);
  return allFinite(points) ? points : null;
}

/** Why there are no numbers where features are not finite. */
export const DIVERGED = 'Features of the network are not finite: nothing can be read off them.';

/** Why there are no numbers where T_f is asked for. */
export const NO_TEST = 'There are no test samples of the forgotten classes.';

/** What is compared with retrained models has none but itself. */
export const ALONE =
  'Retrain is compared with retrained models of other seeds, and none are given: beside itself it says nothing.';

/** The retrained models to compare with: all that are given but the audited one. */
export function peersOf({ own, retrain, retrains = [] }: AuditInput): Subject[] {
  return [...(retrain ? [retrain] : []), ...retrains].filter((subject) => subject !== own);
}

/**
 * Rows of each set, at most `most`, drawn so that every set has as many of each class: as the first has them, unless another
 * has fewer.
 */
export function matchedRows(
  labels: readonly ArrayLike<number>[],
  most: number,
  seed: number,
  stream: number,
): Int32Array[] {
  const byClass = labels.map((own, which) => {
    const rows = new Map<number, number[]>();
    for (const row of permutation(own.length, seed, stream, which, 0x6d617463)) {
      const label = own[row];
      rows.set(label, [...(rows.get(label) ?? []), row]);
    }
    return rows;
  });
  const classes = [...byClass[0].keys()].sort((a, b) => a - b);
  const there = classes.map((k) => Math.min(...byClass.map((rows) => rows.get(k)?.length ?? 0)));
  const share = Math.min(1, most / there.reduce((sum, count) => sum + count, 0));
  const counts = there.map((count) => Math.floor(count * share));
  return byClass.map((rows) =>
    Int32Array.from(classes.flatMap((k, i) => (rows.get(k) ?? []).slice(0, counts[i]))).sort(),
  );
}

/** `count` rows of each of these classes, in random order; null where one has fewer. */
export function drawnRows(
  labels: ArrayLike<number>,
  classes: readonly number[],
  count: number,
  seed: number,
  stream: number,
): number[] | null {
  const order = permutation(labels.length, seed, stream, count, 0x73686f74);
  const drawn = classes.map((k) => Array.from(order.filter((row) => labels[row] === k)).slice(0, count));
  return drawn.every((rows) => rows.length === count) ? drawn.flat() : null;
}

/** Between two pieces of long work on plain arrays: lets others run, and stops where the signal has aborted. */
export async function pause({ signal }: AuditInput): Promise<void> {
  await yieldToEventLoop();
  signal?.throwIfAborted();
}
