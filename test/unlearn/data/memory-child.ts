// One reader on one file in a process of its own: node child.js READER FILE. Prints the largest resident set in bytes
// before and after the reader, and what it answered. The bound is the test's.

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../../../engine/io/safetensors.ts';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { decodePicture } from '../../../unlearn/data/readers/pictures.ts';

const [reader, file] = process.argv.slice(2);
const readers: Record<string, () => Promise<string>> = {
  picture: async () => {
    const { width, height } = await decodePicture(readFileSync(file), file);
    return `${width} x ${height}`;
  },
  safetensors: async () => {
    const { tensors } = loadSafetensors(readFileSync(file));
    return `${Object.keys(tensors).length} tensors`;
  },
  int64: async () => {
    const tensor = {
      data: new Int32Array(8e6).fill(7),
      shape: [8e6],
      dtype: 'int32',
      stored: 'I64',
    } as const;
    return `${(await saveSafetensors({ tensor })).length} bytes`;
  },
  mnist: async () => `${(await datasets.load('mnist', { dir: dirname(file) })).train.size} images`,
  'cifar-10': async () => `${(await datasets.load('cifar-10', { dir: dirname(file) })).train.size} images`,
};

const peak = () => process.resourceUsage().maxRSS * 1024;
const before = peak();
const answer = await readers[reader]().catch((error: Error) => error.message);
console.log(JSON.stringify({ before, after: peak(), answer }));
