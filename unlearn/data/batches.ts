// Batches for training and evaluation: bytes to float32 in [0, 1], in an order and with an augmentation that depend
// only on (seed, epoch, position), so that starting at batch k gives the batches a run from the start would have
// given from k on. Every batch has its own buffers: nothing handed out is written again. No tensors here.

import { check } from '../../engine/error.ts';
import { checkSeed, permutation, philox } from '../random.ts';
import type { Split } from '../types.ts';

/** Augmentation of training images. */
export interface Augment {
  /** Shift by up to this many pixels each way, zeros coming in (pad, then crop). */
  readonly crop?: number;
  /** Mirror left to right, every second time. */
  readonly flip?: boolean;
}

/** How a split is cut into batches. */
export interface BatchOptions {
  /** Samples in a batch, from 1. */
  readonly batchSize: number;
  /** 0 by default. */
  readonly seed?: number;
  /** 0, 1, ...: a new order and new augmentation each; 0 by default. */
  readonly epoch?: number;
  /** Random order; by default the order of the split. */
  readonly shuffle?: boolean;
  /** Each number has orders and augmentation of its own: for sets drawn beside each other. 0 by default. */
  readonly stream?: number;
  /**
   * Order and augmentation follow the samples' ids instead of their positions: leaving one sample out changes neither
   * the order of the others nor their augmentation.
   */
  readonly byId?: boolean;
  /** Leave out a last batch that is not full. */
  readonly dropLast?: boolean;
  /** Random shifts and mirror images. Default: none. */
  readonly augment?: Augment;
  /** First batch to give, 0 by default. */
  readonly startBatch?: number;
}

/** Samples ready for a device. */
export interface Batch {
  /** [count, height, width, channels], values byte / 255. */
  readonly images: Float32Array;
  /** Index of the class of each sample. */
  readonly labels: Int32Array;
  /** Positions in the split (not ids). */
  readonly indices: Int32Array;
  /** Number of the batch within the epoch. */
  readonly batch: number;
}

const UNIT = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);
const ORDER = 0x6f726465;
const AUGMENT = 0x6175676d;

function checkInteger(name: string, value: number, least: number): void {
  check(
    Number.isInteger(value) && value >= least && value < 2 ** 32,
    'value',
    () => `${name}: expected an integer from ${least}, got ${String(value)}`,
  );
}

/** Batches in an epoch. */
export function batchCount(
  samples: { readonly size: number },
  options: Pick<BatchOptions, 'batchSize' | 'dropLast'>,
): number {
  checkInteger('batchSize', options.batchSize, 1);
  const batches = samples.size / options.batchSize;
  return options.dropLast ? Math.floor(batches) : Math.ceil(batches);
}

/** Bytes of the samples at `positions` as float32 in [0, 1], [count, height, width, channels]. */
export function toFloats(split: Split, positions: ArrayLike<number>): Float32Array {
  const bytes = split.shape[0] * split.shape[1] * split.shape[2];
  const out = new Float32Array(positions.length * bytes);
  for (let i = 0, to = 0; i < positions.length; i++) {
    const from = positions[i] * bytes;
    for (let j = from; j < from + bytes; j++) out[to++] = UNIT[split.images[j]];
  }
  return out;
}

/** One image into `out` at `to`, moved by (dx, dy) pixels with zeros coming in, mirrored first if `flip`. */
function placeImage(
  split: Split,
  position: number,
  out: Float32Array,
  to: number,
  dx: number,
  dy: number,
  flip: boolean,
): void {
  const [height, width, channels] = split.shape;
  const { images } = split;
  const start = position * height * width * channels;
  const xFrom = Math.max(0, dx);
  const xTo = Math.min(width, width + dx);
  for (let y = Math.max(0, dy); y < Math.min(height, height + dy); y++) {
    const row = start + (y - dy) * width * channels;
    let at = to + (y * width + xFrom) * channels;
    if (!flip) {
      const from = row + (xFrom - dx) * channels;
      const count = (xTo - xFrom) * channels;
      for (let j = from; j < from + count; j++) out[at++] = UNIT[images[j]];
    } else {
      for (let x = xFrom; x < xTo; x++) {
        const from = row + (width - 1 - (x - dx)) * channels;
        for (let c = 0; c < channels; c++) out[at++] = UNIT[images[from + c]];
      }
    }
  }
}

/** The positions of each batch of an epoch, from `startBatch` on. Options are checked at once. */
export function* positionsOf(
  samples: { readonly size: number; readonly ids: Int32Array },
  options: BatchOptions,
): Generator<{ readonly indices: Int32Array; readonly batch: number }, void, void> {
  const { batchSize, startBatch = 0 } = options;
  const order = options.shuffle ? orderOf(samples, options) : null;
  const count = batchCount(samples, options);
  for (let batch = startBatch; batch < count; batch++) {
    const first = batch * batchSize;
    const size = Math.min(batchSize, samples.size - first);
    const indices = Int32Array.from({ length: size }, (_, i) =>
      order === null ? first + i : order[first + i],
    );
    yield { indices, batch };
  }
}

/** A random order of the positions: by a permutation of them, or by a random number for each id. */
function orderOf(
  { size, ids }: { readonly size: number; readonly ids: Int32Array },
  { seed = 0, epoch = 0, stream = 0, byId = false }: BatchOptions,
): Int32Array {
  if (!byId) return permutation(size, seed, epoch, ORDER, stream);
  const words = new Uint32Array(4);
  const rank = Float64Array.from(ids, (id) => {
    philox(id, epoch, ORDER, stream, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    return words[0] * 2 ** 21 + (words[1] >>> 11);
  });
  return Int32Array.from({ length: size }, (_, i) => i).sort((a, b) => rank[a] - rank[b] || ids[a] - ids[b]);
}

/** @throws LetheError 'value' for what no batch can be made with. */
export function checkBatchOptions({
  batchSize,
  seed = 0,
  epoch = 0,
  startBatch = 0,
  stream = 0,
}: BatchOptions): void {
  checkInteger('batchSize', batchSize, 1);
  checkInteger('epoch', epoch, 0);
  checkInteger('startBatch', startBatch, 0);
  checkInteger('stream', stream, 0);
  checkSeed(seed);
}

/** The batches of one epoch, from `startBatch` on. Options are checked at once, not at the first batch. */
export function batches(split: Split, options: BatchOptions): Generator<Batch, void, void> {
  const { batchSize, seed = 0, epoch = 0, stream = 0, byId = false, augment = {} } = options;
  const { crop = 0, flip = false } = augment;
  checkBatchOptions(options);
  checkInteger('augment.crop', crop, 0);
  check(
    crop <= Math.min(split.shape[0], split.shape[1]),
    'value',
    () => `augment.crop: ${crop} pixels on images of ${split.shape[0]} x ${split.shape[1]}`,
  );
  return generate();

  function* generate(): Generator<Batch, void, void> {
    const words = new Uint32Array(4);
    const bytes = split.shape[0] * split.shape[1] * split.shape[2];
    for (const { indices, batch } of positionsOf(split, options)) {
      const size = indices.length;
      const labels = indices.map((position) => split.labels[position]);
      let images: Float32Array;
      if (crop === 0 && !flip) images = toFloats(split, indices);
      else {
        images = new Float32Array(size * bytes);
        for (let i = 0; i < size; i++) {
          const counter = byId ? split.ids[indices[i]] : batch * batchSize + i;
          philox(counter, epoch, AUGMENT, stream, seed >>> 0, Math.floor(seed / 2 ** 32), words);
          // A 32-bit word scaled down to 2 crop + 1 values: the bias is below 2^-20.
          const dx = Math.floor((words[0] / 2 ** 32) * (2 * crop + 1)) - crop;
          const dy = Math.floor((words[1] / 2 ** 32) * (2 * crop + 1)) - crop;
          placeImage(split, indices[i], images, i * bytes, dx, dy, flip && (words[2] & 1) === 1);
        }
      }
      yield { images, labels, indices, batch };
    }
  }
}
