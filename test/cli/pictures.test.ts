// The command line on folders of pictures: looking them over, and the beginning of a run.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as lt from '../../index.ts';
import { type ModelCard, modelOf } from '../../unlearn/model.ts';
import { defaultParts } from '../../unlearn/run/default-parts.ts';
import { toParts } from '../../unlearn/weights.ts';
import { collect } from '../bytes.ts';
import { pnm } from '../unlearn/data/helpers.ts';
import { TestWorld } from './world.ts';

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.close());

function put(files: Record<string, string | Uint8Array>): void {
  for (const [name, data] of Object.entries(files)) {
    const path = join(world.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
  }
}

/** Six noisy pictures for each of three people, of one size. */
function photos(): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const [p, person] of ['anna', 'ben', 'eva'].entries())
    for (let k = 0; k < 6; k++)
      files[`photos/${person}/${k}.pgm`] = pnm(
        32,
        24,
        1,
        (i) => Math.imul(i + 1000 * k + 7000 * p, 40503) >>> 8,
      );
  return files;
}

describe('lethe datasets check FOLDER', () => {
  it('prints classes with counts, sizes and oddities', async () => {
    put({ ...photos(), 'photos/ben/same.pgm': photos()['photos/ben/0.pgm'], 'photos/note.txt': 'x' });
    const { code, out, err } = await world.run(['datasets', 'check', 'DIR/photos']);
    expect(err).toBe('');
    expect(out.replace(/[0-9a-f]{64}/, 'HASH')).toMatchSnapshot();
    expect(code).toBe(0);
    const json = JSON.parse((await world.run(['datasets', 'check', 'DIR/photos', '--json'])).out);
    expect(json).toMatchObject({ pictures: 19, size: [24, 32], duplicates: [['ben/0.pgm', 'ben/same.pgm']] });
    const named = await world.run(['datasets', 'check', 'folder', '--data', 'DIR/photos']);
    expect(named.out).toBe(out);
  });

  it('guesses a size where pictures differ, and takes the one given', async () => {
    put({ ...photos(), 'photos/ben/large.pgm': pnm(64, 48, 1, (i) => i * 7) });
    const guess = await world.run(['datasets', 'check', 'DIR/photos']);
    expect(guess.out).toContain(
      'pictures differ; 24x32 would do: --size 24x32 here, size: [24, 32] in a recipe',
    );
    expect(guess.code).toBe(0);
    const given = await world.run(['datasets', 'check', 'DIR/photos', '--size', '12x16']);
    expect(given.out).toMatch(/^size +12x16, as asked$/m);
    const wrong = await world.run(['datasets', 'check', 'DIR/photos', '--size', '12']);
    expect(wrong.err).toContain('Expected HEIGHTxWIDTH in pixels, such as 64x48.');
  });

  it('tells all faults, in the table and in one error; --skip-bad leaves out what cannot be read', async () => {
    put({ ...photos(), 'photos/anna/a.png': 'x', 'photos/eva/b.jpg': '' });
    const plain = await world.run(['datasets', 'check', 'DIR/photos']);
    expect(plain.code).toBe(2);
    expect(plain.out).toMatch(/^bad +eva\/b.jpg: an empty file$/m);
    expect(plain.err).toMatch(
      /^lethe: error: DIR\/photos: 2 pictures cannot be read: anna\/a.png .*eva\/b.jpg/,
    );
    const skipped = await world.run(['datasets', 'check', 'DIR/photos', '--skip-bad']);
    expect([skipped.code, skipped.err]).toEqual([0, '']);
    expect(skipped.out).toMatch(/^bad +anna\/a.png: /m);
  });

  it('says which folder is missing, and which names there are', async () => {
    const path = await world.run(['datasets', 'check', 'DIR/nowhere']);
    expect(path).toMatchObject({ code: 2, err: 'lethe: error: no folder DIR/nowhere\n' });
    expect((await world.run(['datasets', 'check', 'nowhere'])).err).toContain("unknown data set 'nowhere'");
    expect((await world.run(['datasets', 'check', 'folder'])).err).toBe(
      'lethe: error: folder: give the folder of the pictures: --data DIR, or dir in the options of the data set\n',
    );
  });
});

describe('lethe run on pictures', () => {
  const recipe = `name: mine
dataset: { name: folder, options: { dir: DIR/photos } }
forget: { class: anna }
model: { name: lenet }
methods: [{ name: finetune }]
`;
  // The data are read, nothing is trained.
  const parts = { load: defaultParts().load };

  it('begins with what was read, what is to be forgotten and what was left out', async () => {
    put({
      ...photos(),
      'photos/eva/x.heic': 'x',
      'photos/eva/bad.png': '',
      'mine.yaml': recipe.replace('DIR', world.folder),
    });
    const plain = await world.run(['run', 'DIR/mine.yaml', '--out', 'DIR/out', '--dry-run'], { parts });
    expect(plain).toMatchObject({ code: 2, out: '' });
    expect(plain.err).toContain('1 picture cannot be read: eva/bad.png (an empty file)');
    const dry = await world.run(['run', 'DIR/mine.yaml', '--out', 'DIR/out', '--dry-run', '--skip-bad'], {
      parts,
    });
    const lines = dry.out.split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'data: folder, 18 samples in 3 classes: 15 for training (5 of each class), 3 set aside for testing',
      'to forget: 5 training samples, all of class anna',
      expect.stringMatching(
        /^warning: 1 picture left out for being unreadable: eva\/bad.png \(an empty file\)$/,
      ),
      expect.stringMatching(
        /^warning: 1 HEIC picture left out, a kind that is not read: eva\/x.heic; convert /,
      ),
    ]);
    const run = await world.run(['run', 'DIR/mine.yaml', '--out', 'DIR/out', '--skip-bad'], { parts });
    expect(run.code).toBe(0);
    for (const line of lines.slice(0, 4)) expect(run.err).toContain(` ${line}\n`);
  });
});

describe('lethe predict', () => {
  const card: ModelCard = {
    version: 1,
    model: { name: 'mlp', options: { hidden: [1] }, normalise: { mean: [0.5], std: [0.5] } },
    dataset: 'folder',
    classes: ['anna', 'ben', 'eva'],
    shape: [24, 32, 1],
  };

  async function weights(described?: ModelCard): Promise<void> {
    await lt.init({ device: 'reference' });
    const variables = modelOf(card).init(lt.random.key(0), [1, ...card.shape]);
    put({ 'w.safetensors': await collect(toParts(modelOf(card), variables, card.shape, described)) });
  }
  const predict = ['predict', 'DIR/w.safetensors', '--device', 'reference'];

  it('prints a table of pictures and their classes, or JSON', async () => {
    put({ ...photos(), 'photos/bad.png': '' });
    await weights(card);
    const pictures = ['DIR/photos/anna/0.pgm', 'DIR/photos/bad.png'];
    const plain = await world.run([...predict, ...pictures]);
    expect(plain).toMatchObject({ code: 2, out: '' });
    expect(plain.err).toContain('1 picture cannot be read: DIR/photos/bad.png (an empty file)');
    const { code, out, err } = await world.run([...predict, ...pictures, '--skip-bad']);
    expect([code, err]).toEqual([0, 'warning: left out DIR/photos/bad.png: an empty file\n']);
    const [head, , row] = out.split('\n');
    expect(head).toMatch(/^picture +class +probability +then$/);
    expect(row).toMatch(/^DIR\/photos\/anna\/0.pgm +(anna|ben|eva) +\d+\.\d% +\S+ \d+\.\d%, \S+ \d+\.\d%$/);
    const json = JSON.parse((await world.run([...predict, pictures[0], '--json', '--top', '2'])).out);
    expect(json.predictions[0].top).toHaveLength(2);
    expect(json.classes).toEqual(['anna', 'ben', 'eva']);
  });

  it('asks for the recipe where the weights do not say what they are of', async () => {
    put(photos());
    await weights();
    const without = await world.run([...predict, 'DIR/photos/anna/0.pgm']);
    expect(without.code).toBe(2);
    expect(without.err).toContain(
      'does not say which classes and pictures it is for; give the recipe it was made by (--recipe)',
    );
    put({
      'mine.yaml': `name: mine
dataset: { name: folder, options: { dir: ${world.path('photos')} } }
forget: { class: anna }
model: { name: mlp, options: { hidden: [1] } }
methods: [{ name: finetune }]
`,
    });
    const { code, out } = await world.run([
      ...predict,
      'DIR/photos/anna/0.pgm',
      '--recipe',
      'DIR/mine.yaml',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(out).classes).toEqual(['anna', 'ben', 'eva']);
  });
});
