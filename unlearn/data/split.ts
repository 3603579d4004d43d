// Splits: making them, cutting them, counting and hashing them. A split never changes; where the wanted samples lie
// next to each other the new split is a view of the old one's bytes, elsewhere it is a copy. No files here.

import { check } from '../../engine/error.ts';
import { checkSeed, philox, stratified } from '../random.ts';
import { sha256 } from '../sha256.ts';
import type { Dataset, Split } from '../types.ts';

export type Shape = readonly [number, number, number];

/** A split from its parts; ids default to 0 .. size - 1. Lengths that disagree are a bug here: 'shape'. */
export function makeSplit(parts: {
  shape: Shape;
  images: Uint8Array;
  labels: Int32Array;
  ids?: Int32Array;
  files?: readonly string[];
}): Split {
  const { shape, images, labels, files } = parts;
  const size = labels.length;
  const ids = parts.ids ?? Int32Array.from({ length: size }, (_, i) => i);
  const bytes = size * shape[0] * shape[1] * shape[2];
  check(
    images.length === bytes && ids.length === size && (files === undefined || files.length === size),
    'shape',
    () =>
      `split of ${size} x [${shape}]: expected ${bytes} bytes and ${size} ids, got ${images.length}, ${ids.length}`,
  );
  return Object.freeze({ size, shape, images, labels, ids, ...(files === undefined ? {} : { files }) });
}

/** Bytes of one image. */
function imageBytes(split: Split): number {
  return split.shape[0] * split.shape[1] * split.shape[2];
}

/** The bytes of the image at a position (not an id) of the split: a view, height x width x channels. */
export function imageAt(split: Split, position: number): Uint8Array {
  check(
    Number.isInteger(position) && position >= 0 && position < split.size,
    'value',
    () => `position ${position}: expected 0 to ${split.size - 1}`,
  );
  const bytes = imageBytes(split);
  return split.images.subarray(position * bytes, (position + 1) * bytes);
}

/** The samples at the given positions, in that order. Ids and files travel along. */
export function takeSplit(split: Split, positions: ArrayLike<number>): Split {
  const bytes = imageBytes(split);
  const count = positions.length;
  let contiguous = true;
  for (let i = 0; i < count; i++) {
    const p = positions[i];
    check(
      Number.isInteger(p) && p >= 0 && p < split.size,
      'value',
      () => `position ${p}: expected 0 to ${split.size - 1}`,
    );
    if (p !== positions[0] + i) contiguous = false;
  }
  const files = split.files && Array.from(positions, (p) => split.files![p]);
  const first = count > 0 ? positions[0] : 0;
  if (contiguous) {
    return makeSplit({
      shape: split.shape,
      images: split.images.subarray(first * bytes, (first + count) * bytes),
      labels: split.labels.subarray(first, first + count),
      ids: split.ids.subarray(first, first + count),
      files,
    });
  }
  const images = new Uint8Array(count * bytes);
  const labels = new Int32Array(count);
  const ids = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const p = positions[i];
    images.set(split.images.subarray(p * bytes, (p + 1) * bytes), i * bytes);
    labels[i] = split.labels[p];
    ids[i] = split.ids[p];
  }
  return makeSplit({ shape: split.shape, images, labels, ids, files });
}

/** The samples of several splits of one shape, one after the other, in a new split. Ids travel along. */
export function joinSplits(...splits: readonly Split[]): Split {
  const [{ shape }] = splits;
  const size = splits.reduce((sum, split) => sum + split.size, 0);
  const bytes = imageBytes(splits[0]);
  const images = new Uint8Array(size * bytes);
  const labels = new Int32Array(size);
  const ids = new Int32Array(size);
  let at = 0;
  for (const split of splits) {
    images.set(split.images, at * bytes);
    labels.set(split.labels, at);
    ids.set(split.ids, at);
    at += split.size;
  }
  return makeSplit({ shape, images, labels, ids });
}

/** Positions for which `keep(label, position)` holds, in order. */
export function positionsWhere(split: Split, keep: (label: number, position: number) => boolean): Int32Array {
  const positions: number[] = [];
  for (let i = 0; i < split.size; i++) if (keep(split.labels[i], i)) positions.push(i);
  return Int32Array.from(positions);
}

/** Everything but class k (an index). */
export function excludeClass(split: Split, k: number): Split {
  return takeSplit(
    split,
    positionsWhere(split, (label) => label !== k),
  );
}

/** Class k (an index) alone. */
export function onlyClass(split: Split, k: number): Split {
  return takeSplit(
    split,
    positionsWhere(split, (label) => label === k),
  );
}

/**
 * `count` positions, in ascending order, that keep the proportions of the classes (each class within one sample of
 * its share), chosen by the seed.
 */
export function stratifiedPositions(split: Split, count: number, seed: number): Int32Array {
  return stratified(split.labels, count, seed);
}

/** A split, parted. */
export interface HeldOut {
  /** The samples that stay. */
  kept: Split;
  /** The samples that were drawn. */
  held: Split;
}

/** Sets `count` samples aside (for validation, say), in the proportions of the classes: both parts keep their order. */
export function holdOut(split: Split, count: number, seed = 0): HeldOut {
  check(count < split.size, 'value', () => `hold out ${count} of ${split.size}: expected fewer than all`);
  const held = stratifiedPositions(split, count, seed);
  const taken = new Uint8Array(split.size);
  for (const p of held) taken[p] = 1;
  return {
    kept: takeSplit(
      split,
      positionsWhere(split, (_, p) => taken[p] === 0),
    ),
    held: takeSplit(split, held),
  };
}

const HELD_OUT = 0x76616c69;

/**
 * Sets about `share` of the samples of each class aside, each by a hash of the seed and its id: whether a sample is held out
 * depends on no other, so that a removal changes nothing about those that stay. Both parts keep their order.
 */
export function holdOutById(split: Split, share: number, seed = 0): HeldOut {
  checkSeed(seed);
  const words = new Uint32Array(4);
  const isHeld = (_: number, position: number) => {
    philox(split.ids[position], 0, HELD_OUT, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    return words[0] / 2 ** 32 < share;
  };
  return {
    kept: takeSplit(
      split,
      positionsWhere(split, (label, p) => !isHeld(label, p)),
    ),
    held: takeSplit(split, positionsWhere(split, isHeld)),
  };
}

/** How many samples a class has. */
export interface ClassCount {
  /** The class. */
  readonly name: string;
  /** Training samples. */
  readonly train: number;
  /** Test samples. */
  readonly test: number;
}

/** Samples of each of `classes` classes. */
export function classCounts(split: Split, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of split.labels) counts[label]++;
  return counts;
}

/** Statistics of images, one number for each channel. */
export interface ChannelStatistics {
  /** In [0, 1]. */
  mean: number[];
  /** Standard deviation, at least 1/255. */
  std: number[];
}

/**
 * Mean and standard deviation of each channel over all pixels, in [0, 1], from integer sums (exact below 2^53, that
 * is 10^11 pixels). A deviation under 1/255, as of a constant channel, is given as 1/255 so that dividing by it is safe.
 */
export function channelStatistics(split: Split): ChannelStatistics {
  const channels = split.shape[2];
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const { images } = split;
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    let square = 0;
    for (let i = c; i < images.length; i += channels) {
      const v = images[i];
      sum += v;
      square += v * v;
    }
    sums[c] = sum;
    squares[c] = square;
  }
  const n = Math.max(1, images.length / channels);
  const mean = Array.from(sums, (s) => s / n / 255);
  const std = Array.from(squares, (q, c) => {
    const m = sums[c] / n;
    return Math.max(1, Math.sqrt(Math.max(0, q / n - m * m))) / 255;
  });
  return { mean, std };
}

/** Labels as little-endian bytes, the same on every machine. */
export function labelBytes(labels: Int32Array): Uint8Array {
  const bytes = new Uint8Array(labels.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < labels.length; i++) view.setInt32(i * 4, labels[i], true);
  return bytes;
}

/** sha256 over shape and sizes, then training bytes and labels, then test bytes and labels. */
export function datasetHash(train: Split, test: Split): string {
  return sha256(
    `lethe dataset 1 [${train.shape}] ${train.size} ${test.size}\n`,
    train.images,
    labelBytes(train.labels),
    test.images,
    labelBytes(test.labels),
  );
}

/** What a reader hands over: a data set but for what can be computed from it. */
export interface Loaded {
  /** Names of the classes, in the order of labels. */
  readonly classes: readonly string[];
  /** Training samples. */
  readonly train: Split;
  /** Test samples. */
  readonly test: Split;
  /** What a reader should know: provenance, checks made, oddities found. */
  readonly notes: readonly string[];
  /** What to look at before training; finishDataset puts them before the notes. */
  readonly warnings?: readonly string[];
  /** Absolute paths of the files read. */
  readonly files: readonly string[];
  /** The folder the files were found in. */
  readonly root: string | null;
  /** Tabular data only: its columns. */
  readonly features?: Dataset['features'];
}

/** The data set of what a reader read, with statistics and hash. */
export function finishDataset(name: string, loaded: Loaded): Dataset {
  const { train, test, classes, notes, warnings, features } = loaded;
  return Object.freeze({
    name,
    classes,
    shape: train.shape,
    train,
    test,
    ...channelStatistics(train),
    notes: [...(warnings ?? []), ...notes],
    ...(warnings === undefined || warnings.length === 0 ? {} : { warnings }),
    hash: datasetHash(train, test),
    ...(features === undefined ? {} : { features }),
  });
}
