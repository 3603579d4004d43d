// Wrong labels as data: a share of the training samples is given another class, and the data set says which and what was right.
// Forgetting them is forgetting errors: the model should answer such an image rightly afterwards.

import { check } from '../../engine/error.ts';
import { checkSeed, philox } from '../random.ts';
import type { Dataset, Split } from '../types.ts';
import { datasetHash, makeSplit } from './split.ts';

/** How many training samples get a wrong label. */
export interface Mislabelling {
  /** Expected share of them, between 0 and 1, both excluded. */
  readonly share: number;
  /** Of the choice, 0 .. 2^53 - 1. Default 0. */
  readonly seed?: number;
}

const WRONG = 0x77726f6e;

/**
 * The data set with wrong labels on about a share of its training samples. Whether a sample gets one, and which, follows from
 * a hash of the seed and its id alone, so that it keeps it whatever other samples there are; each of the other classes is as
 * likely. Test samples keep their labels. The hash is another one, and a note tells.
 * @throws LetheError 'value' for a share that is none, a single class, and data with wrong labels already.
 */
export function mislabel(dataset: Dataset, { share, seed = 0 }: Mislabelling): Dataset {
  const { name, train, test, classes } = dataset;
  checkSeed(seed);
  check(
    typeof share === 'number' && share > 0 && share < 1,
    'value',
    () => `mislabelled: expected a share between 0 and 1, both excluded, got ${String(share)}`,
  );
  check(classes.length > 1, 'value', () => `mislabelled: ${name} has one class; expected two or more`);
  check(!dataset.mislabelled, 'value', () => `mislabelled: ${name} has wrong labels already`);
  const words = new Uint32Array(4);
  const right = new Map<number, number>();
  const labels = train.labels.map((label, position) => {
    const id = train.ids[position];
    philox(id, 0, WRONG, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    if (words[0] / 2 ** 32 >= share) return label;
    right.set(id, label);
    const others = classes.length - 1;
    return (label + 1 + Math.floor((words[1] / 2 ** 32) * others)) % classes.length;
  });
  const wrong = makeSplit({ ...train, labels });
  const note = `${right.size} of ${train.size} training samples have a wrong label, given on purpose (share ${share}, seed ${seed})`;
  return Object.freeze({
    ...dataset,
    train: wrong,
    mislabelled: right,
    notes: [...dataset.notes, note],
    hash: datasetHash(wrong, test),
  });
}

/** The right labels of training samples: those of the split, where none is known to be wrong. */
export const rightLabels = (
  { mislabelled }: Pick<Dataset, 'mislabelled'>,
  { ids, labels }: Split,
): Int32Array => labels.map((label, position) => mislabelled?.get(ids[position]) ?? label);
