// What weights say of picture files: the file alone is enough, pictures are read as the data set's were.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../index.ts';
import { type ModelCard, modelOf, readCard } from '../../unlearn/model.ts';
import { cardOfFile, predictFiles } from '../../unlearn/predict-files.ts';
import { toParts } from '../../unlearn/weights.ts';
import { collect } from '../bytes.ts';
import { pnm, refuses, scratch } from './data/helpers.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const card: ModelCard = {
  version: 1,
  model: { name: 'mlp', options: { hidden: [] }, normalise: { mean: [0.5], std: [0.25] } },
  dataset: 'folder',
  classes: ['dark', 'bright', 'neither'],
  shape: [2, 2, 1],
};

/** A linear network whose logits are -1, 1 and 0 times the sum of the four normalised pixels. */
async function weights(described: ModelCard | undefined = card): Promise<string> {
  const weight = lt.tensor([-1, 1, 0, -1, 1, 0, -1, 1, 0, -1, 1, 0], { shape: [4, 3] });
  const variables = { params: { fc1: { weight, bias: lt.zeros([3]) } }, state: {} };
  const bytes = await collect(toParts(modelOf(card), variables, card.shape, described));
  const path = join(await scratch(), 'w.safetensors');
  await writeFile(path, bytes);
  return path;
}

describe('predictFiles', () => {
  it('answers the likeliest classes with their probability, from the file alone', async () => {
    const folder = await scratch({
      // Four areas of 2 x 2 pixels, each 102 on average: (0.4 - 0.5) / 0.25 = -0.4.
      'grey.pgm': pnm(4, 4, 1, (i) => (i % 2 === 0 ? 100 : 104)),
      'white.png': encodePng({ width: 3, height: 5, channels: 3, data: new Uint8Array(45).fill(255) }),
    });
    const files = ['grey.pgm', 'white.png'].map((name) => join(folder, name));
    const found = await predictFiles(await weights(), files);
    expect(found.card).toEqual(card);
    expect(found.predictions.map((p) => p.file)).toEqual(files);
    const [grey, white] = found.predictions.map((p) => p.top);
    expect(grey.map((t) => t.class)).toEqual(['dark', 'neither', 'bright']);
    const sum = Math.exp(1.6) + 1 + Math.exp(-1.6);
    for (const [i, expected] of [Math.exp(1.6) / sum, 1 / sum, Math.exp(-1.6) / sum].entries())
      expect(grey[i].probability).toBeCloseTo(expected, 6);
    expect(white[0].class).toBe('bright');
    const { predictions } = await predictFiles(await weights(), files, { top: 1, batchSize: 1 });
    expect(predictions.map((p) => p.top)).toEqual([[grey[0]], [white[0]]]);
  });

  it('takes all pictures of a folder, and says what it left out', async () => {
    const folder = await scratch({
      'b/2.pgm': pnm(2, 2, 1, () => 0),
      '1.pgm': pnm(2, 2, 1, () => 0),
      'notes.txt': 'x',
      'x.heic': 'x',
    });
    const { predictions, warnings } = await predictFiles(await weights(), [folder]);
    expect(predictions.map((p) => p.file)).toEqual([join(folder, '1.pgm'), join(folder, 'b/2.pgm')]);
    expect(warnings).toEqual([expect.stringContaining('1 HEIC picture left out')]);
  });

  it('names every picture that cannot be read, or leaves them out', async () => {
    const folder = await scratch({ 'good.pgm': pnm(2, 2, 1, () => 0), 'bad.png': 'x', 'empty.jpg': '' });
    const files = ['bad.png', 'good.pgm', 'empty.jpg', 'gone.jpg'].map((name) => join(folder, name));
    const path = await weights();
    await refuses(
      () => predictFiles(path, files),
      'data',
      /^3 pictures cannot be read: .*bad.png \(byte 0: .*empty.jpg \(an empty file\), .*gone.jpg \(ENOENT.*; leave them out with skipBad/,
    );
    const { predictions, unreadable } = await predictFiles(path, files, { skipBad: true });
    expect(predictions.map((p) => p.file)).toEqual([files[1]]);
    expect(unreadable.map((u) => u.file)).toEqual([files[0], files[2], files[3]]);
  });

  it('refuses weights that do not say what they are of, unless told', async () => {
    const folder = await scratch({ 'a.pgm': pnm(2, 2, 1, () => 0) });
    const file = join(folder, 'a.pgm');
    const bytes = await lt.io.saveSafetensors({ 'fc1.weight': lt.zeros([3, 4]), 'fc1.bias': lt.zeros([3]) });
    const bare = join(folder, 'w.safetensors');
    await writeFile(bare, bytes);
    expect(await cardOfFile(bare)).toBeNull();
    await refuses(
      () => predictFiles(bare, [file]),
      'value',
      /does not say which classes and pictures it is for/,
    );
    const { predictions } = await predictFiles(bare, [file], { card });
    expect(predictions[0].top[0].probability).toBeCloseTo(1 / 3, 6);
    await refuses(() => predictFiles(join(folder, 'no'), [file]), 'value', /^weights .*no: could not read/);
    await refuses(() => predictFiles(file, [file]), 'data', /^weights .*a.pgm: safetensors: /);
    await refuses(async () => predictFiles(await weights(), [file], { top: 0 }), 'value', /^top: /);
    await refuses(
      async () => predictFiles(await weights({ ...card, dataset: 'csv' }), [file]),
      'value',
      /made for rows of a table, not for pictures$/,
    );
  });
});

it('a card that cannot be is refused', async () => {
  const wrong: [unknown, RegExp][] = [
    ['{', /is no JSON$/],
    [{ ...card, version: 2 }, /expected version 1$/],
    [null, /expected version 1$/],
    [{ ...card, model: { ...card.model, name: 'constructor' } }, /expected one of mlp, /],
    [{ ...card, model: { ...card.model, options: null } }, /expected options of the model$/],
    [{ ...card, model: { ...card.model, normalise: { mean: [0, 0], std: [1] } } }, /a mean and a deviation/],
    [{ ...card, classes: ['a', 1] }, /a list of names of classes$/],
    [{ ...card, shape: [2, 0, 1] }, /height, width and channels/],
    [{ ...card, dataset: 3 }, /the name of the data set$/],
  ];
  for (const [value, message] of wrong) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    await refuses(() => readCard({ lethe: text }), 'data', message);
  }
  expect(readCard({ lethe: JSON.stringify(card) })).toEqual(card);
  expect(readCard({ format: 'pt' })).toBeNull();
});
