// MNIST and its relatives in the IDX format (http://yann.lecun.com/exdb/mnist): a big-endian magic number (two zero
// bytes, a type, the number of dimensions), the dimensions, then the values. Only unsigned bytes are read.

import { LetheError } from '../../engine/error.ts';
import { findVariant, locate, readDecoded } from './locate.ts';
import { limits, refuse } from './refuse.ts';
import { type Loaded, makeSplit, type Shape } from './split.ts';

const UNSIGNED_BYTE = 0x08;

/** Dimensions and values (a view of `bytes`) of an IDX file of unsigned bytes with `rank` dimensions. */
export function parseIdx(
  bytes: Uint8Array,
  file: string,
  rank: number,
): { dims: number[]; values: Uint8Array } {
  const header = 4 + 4 * rank;
  if (bytes.length < header)
    refuse(file, 'byte 0', `expected an IDX header of ${header} bytes, found ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const expected = (UNSIGNED_BYTE << 8) | rank;
  if (magic !== expected) refuse(file, 'byte 0', `expected the magic number ${expected}, found ${magic}`);
  const dims: number[] = [];
  let total = 1;
  for (let i = 0; i < rank; i++) {
    const dim = view.getUint32(4 + 4 * i);
    if (dim === 0) refuse(file, `byte ${4 + 4 * i}`, `dimension ${i} is 0`);
    dims.push(dim);
    total *= dim;
    if (total > limits.decodedBytes)
      refuse(file, `byte ${4 + 4 * i}`, `dimensions ${dims.join(' x ')} are beyond any bound`);
  }
  const found = bytes.length - header;
  if (found !== total)
    refuse(
      file,
      `byte ${header}`,
      `expected ${total} values for dimensions ${dims.join(' x ')}, found ${found}`,
    );
  return { dims, values: bytes.subarray(header) };
}

/** Labels checked to lie in 0 .. classes - 1. */
export function checkedLabels(
  values: Uint8Array,
  classes: number,
  file: string,
  firstByte: number,
): Int32Array {
  const labels = Int32Array.from(values);
  labels.forEach((label, i) => {
    if (label >= classes)
      refuse(file, `byte ${firstByte + i}`, `label ${label}, expected 0 to ${classes - 1}`);
  });
  return labels;
}

const PARTS = { train: 'train', test: 't10k' } as const;

async function variants(
  folder: string,
  part: string,
): Promise<{ images: string | null; labels: string | null }> {
  const [images, labels] = await Promise.all([
    findVariant(folder, `${part}-images-idx3-ubyte`),
    findVariant(folder, `${part}-labels-idx1-ubyte`),
  ]);
  return { images, labels };
}

/** Reads a data set of four IDX files. `folders` are the names its folder goes by. */
export async function loadIdx(
  name: string,
  folders: readonly string[],
  classes: readonly string[],
  dir?: string,
): Promise<Loaded> {
  const wanted = 'train-images-idx3-ubyte (plain, .gz or .br)';
  const root = await locate(
    name,
    wanted,
    folders,
    async (folder) => (await variants(folder, PARTS.train)).images !== null,
    dir,
  );
  const files: string[] = [];
  const read = async (part: 'train' | 'test') => {
    const { images: imageFile, labels: labelFile } = await variants(root, PARTS[part]);
    for (const [path, stem] of [
      [imageFile, 'images-idx3'],
      [labelFile, 'labels-idx1'],
    ] as const) {
      if (path === null)
        throw new LetheError(
          'data',
          `${name}: ${root} lacks ${PARTS[part]}-${stem}-ubyte (plain, .gz or .br)`,
        );
      files.push(path);
    }
    const images = parseIdx(await readDecoded(imageFile!), imageFile!, 3);
    const labels = parseIdx(await readDecoded(labelFile!), labelFile!, 1);
    if (images.dims[0] !== labels.dims[0]) {
      refuse(labelFile!, 'byte 4', `${labels.dims[0]} labels for ${images.dims[0]} images`);
    }
    const shape: Shape = [images.dims[1], images.dims[2], 1];
    return {
      file: imageFile!,
      split: makeSplit({
        shape,
        images: images.values,
        labels: checkedLabels(labels.values, classes.length, labelFile!, 8),
      }),
    };
  };
  const train = (await read('train')).split;
  const { split: test, file } = await read('test');
  if (test.shape[0] !== train.shape[0] || test.shape[1] !== train.shape[1]) {
    refuse(
      file,
      'byte 8',
      `images of ${test.shape[0]} x ${test.shape[1]}, the training images are ${train.shape[0]} x ${train.shape[1]}`,
    );
  }
  return { classes, train, test, notes: [], files, root };
}
