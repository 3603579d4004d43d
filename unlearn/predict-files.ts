// What a trained network says of picture files: weights in, the likeliest classes of each picture out. The pictures are
// read and resized as those of the data set were. Logits of a split are predict.ts.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LetheError } from '../engine/error.ts';
import { type ByteSource, openSafetensors, type SafetensorsFile } from '../engine/io/index.ts';
import { reasonWithout, type Unreadable, unreadableLine } from './data/readers/folder.ts';
import { decodePicture, type Picture } from './data/readers/pictures.ts';
import { resize, withChannels } from './data/readers/resize.ts';
import { picturesIn, warningsOf } from './data/readers/scan.ts';
import { limits } from './data/refuse.ts';
import { makeSplit } from './data/split.ts';
import { fileSource, readFileBounded } from './files.ts';
import { type ModelCard, modelOf } from './model.ts';
import { predict } from './predict.ts';
import { printable, reasonOf } from './text.ts';
import { disposeTree } from './train/feed.ts';
import { cardIn, fromFile } from './weights.ts';

/** Options of predictFiles. */
export interface PredictFilesOptions {
  /** Classes told of each picture, the likeliest first; 3 by default. */
  readonly top?: number;
  /** Leave out pictures that cannot be read, naming them, instead of refusing all. */
  readonly skipBad?: boolean;
  /** What the weights need besides themselves, for files that do not say; see `card` in the answer. */
  readonly card?: ModelCard;
  /** Pictures per forward pass, 64 by default. */
  readonly batchSize?: number;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
}

/** What was predicted for one picture. */
export interface Prediction {
  /** Its path. */
  readonly file: string;
  /** Softmax of the logits, 0 to 1, largest first. */
  readonly top: readonly {
    /** Name of the class. */
    readonly class: string;
    /** From 0 to 1. */
    readonly probability: number;
  }[];
}

/** What predictFiles gives. */
export interface Predictions {
  /** What the weights said of themselves, or `card` of the options. */
  readonly card: ModelCard;
  /** In the order of the pictures. */
  readonly predictions: readonly Prediction[];
  /** Pictures that could not be read; empty without `skipBad`. */
  readonly unreadable: readonly Unreadable[];
  /** Pictures left out of folders, such as those of kinds that are not read. */
  readonly warnings: readonly string[];
}

/** The card that a file of weights carries; null where it carries none. @throws 'value' where there is no such file. */
export async function cardOfFile(weights: string): Promise<ModelCard | null> {
  return told(weights, async () => cardIn(await openWeights(weights)));
}

async function openWeights(weights: string): Promise<SafetensorsFile> {
  let file: ByteSource;
  try {
    file = await fileSource(weights);
  } catch (cause) {
    throw new LetheError('value', `weights ${printable(weights)}: ${reasonOf(cause)}`, { cause });
  }
  return openSafetensors(file);
}

/** Tells which file it was in which something was wrong. */
async function told<T>(weights: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof LetheError) || cause.kind !== 'data') throw cause;
    throw new LetheError('data', `weights ${printable(weights)}: ${cause.message}`, { cause });
  }
}

/** The files named, and the pictures in the folders named. */
async function gather(paths: readonly string[]): Promise<{ files: string[]; warnings: string[] }> {
  const files: string[] = [];
  const warnings: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    if (!info?.isDirectory()) {
      files.push(path);
      continue;
    }
    const inside = await picturesIn(path);
    for (const file of inside.files) files.push(join(path, file.path));
    warnings.push(...warningsOf(inside.left).map((line) => `${printable(path)}: ${line}`));
  }
  return { files, warnings };
}

/** The readable pictures as one split's bytes, and what could not be read. */
async function readAll(files: readonly string[], [height, width, channels]: ModelCard['shape']) {
  const bytes = height * width * channels;
  if (files.length * bytes > limits.decodedBytes)
    throw new LetheError('value', `${files.length} pictures are too many at once`);
  const images = new Uint8Array(files.length * bytes);
  const good: string[] = [];
  const unreadable: Unreadable[] = [];
  for (const file of files) {
    let picture: Picture;
    try {
      picture = await decodePicture(await readFileBounded(file, limits.pictureBytes), file);
    } catch (cause) {
      unreadable.push({ file, reason: reasonWithout(cause, file) });
      continue;
    }
    const sized = resize(withChannels(picture, channels as 1 | 3), height, width);
    images.set(sized.data, good.length * bytes);
    good.push(file);
  }
  return { good, unreadable, images: images.subarray(0, good.length * bytes) };
}

/** The likeliest classes of one row of logits. */
function ranked(logits: Float32Array, classes: readonly string[], top: number): Prediction['top'] {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = Array.from(logits, (value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  const all = classes.map((name, k) => ({ class: name, probability: powers[k] / sum }));
  return all.sort((a, b) => b.probability - a.probability).slice(0, top);
}

/**
 * The likeliest classes of pictures, by weights that a run, `lethe train` or `lethe unlearn` wrote.
 * @param weights a safetensors file.
 * @param pictures files, or folders whose pictures are all taken.
 * @throws LetheError: 'value' for weights that are not there, do not say what they are of, or are not of pictures; 'data'
 * for weights or pictures that cannot be read, naming them.
 */
export async function predictFiles(
  weights: string,
  pictures: readonly string[],
  options: PredictFilesOptions = {},
): Promise<Predictions> {
  const { top = 3, skipBad = false, batchSize = 64, signal } = options;
  if (!(Number.isInteger(top) && top >= 1))
    throw new LetheError('value', `top: expected a whole number from 1, got ${String(top)}`);
  const file = await told(weights, () => openWeights(weights));
  const card = options.card ?? (await told(weights, async () => cardIn(file)));
  if (card === null)
    throw new LetheError(
      'value',
      `weights ${printable(weights)}: the file does not say which classes and pictures it is for; give the recipe it was made by`,
    );
  const { classes, shape } = card;
  if (card.dataset === 'csv' || (shape[2] !== 1 && shape[2] !== 3))
    throw new LetheError(
      'value',
      `weights ${printable(weights)}: made for rows of a table, not for pictures`,
    );
  const { files, warnings } = await gather(pictures);
  const { good, unreadable, images } = await readAll(files, shape);
  if (unreadable.length > 0 && !skipBad)
    throw new LetheError(
      'data',
      `${unreadableLine(unreadable, 'cannot be read')}; leave them out with skipBad (--skip-bad)`,
    );
  const model = modelOf(card);
  const variables = await fromFile(model, file, shape);
  try {
    const split = makeSplit({ shape, images, labels: new Int32Array(good.length) });
    const logits = await predict(model, variables, split, { batchSize, signal });
    const k = classes.length;
    const predictions = good.map((file, i) => ({
      file,
      top: ranked(logits.subarray(i * k, (i + 1) * k), classes, top),
    }));
    return { card, predictions, unreadable, warnings };
  } finally {
    disposeTree(variables);
  }
}
