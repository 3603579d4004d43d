// A data set is one record: its name and options are types, a record of one's own goes the same ways, and what needs no
// files reaches nothing of Node.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type DatasetName, datasets, type LoadOptions } from '../../../unlearn/data/index.ts';
import { type DatasetRecord, defineDataset, subset } from '../../../unlearn/data/sets/record.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { int, section } from '../../../unlearn/options/fields.ts';
import { refuses } from './helpers.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

it('the names are the keys of the table, the functions stand behind it', () => {
  expect(Object.keys(datasets)).toEqual(datasets.list().map(({ name }) => name));
  for (const name of Object.keys(datasets)) expect(datasets.byName(name).name).toBe(name);
  const files = readdirSync(join(root, 'unlearn/data/sets')).map((file) => file.replace('.ts', ''));
  const shared = ['index', 'record', 'pictures'];
  expect(files.filter((file) => !shared.includes(file))).toEqual(Object.keys(datasets).sort());
  expect(Object.isFrozen(datasets)).toBe(true);
  const people = Object.keys(datasets).filter((name) => datasets.byName(name).people);
  expect(people).toEqual(['faces', 'folder']);
});

it('names and options are types', () => {
  expectTypeOf<DatasetName>().toEqualTypeOf<
    'glyphs' | 'mnist' | 'fashion-mnist' | 'cifar-10' | 'cifar-100' | 'faces' | 'folder' | 'idx' | 'csv'
  >();
  expectTypeOf(datasets.glyphs.name).toEqualTypeOf<'glyphs'>();
  expectTypeOf<LoadOptions<'glyphs'>['trainSize']>().toEqualTypeOf<number | undefined>();
  expectTypeOf<LoadOptions<'cifar-100'>['labels']>().toEqualTypeOf<'fine' | 'coarse' | undefined>();
  expectTypeOf<LoadOptions<'folder'>['size']>().toEqualTypeOf<readonly [number, number] | undefined>();
  expectTypeOf<LoadOptions<'faces'>['channels']>().toEqualTypeOf<1 | 3 | undefined>();
  expectTypeOf<LoadOptions<'csv'>['drop']>().toEqualTypeOf<readonly (string | number)[] | undefined>();
  expectTypeOf<LoadOptions<'mnist'>['dir']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<LoadOptions<DatasetRecord>>().toExtend<{ readonly [option: string]: unknown }>();
  // Not called: types alone.
  const wrong = () => [
    // @ts-expect-error no such name
    datasets.load('glyphz'),
    // @ts-expect-error a name that may be any is for byName
    datasets.load(String('glyphs')),
    // @ts-expect-error of cifar-100 alone
    datasets.load('glyphs', { labels: 'fine' }),
    // @ts-expect-error neither fine nor coarse
    datasets.load('cifar-100', { labels: 'medium' }),
    // @ts-expect-error grey or colour
    datasets.describe('folder', { channels: 2 }),
    // @ts-expect-error height and width
    datasets.inspect('folder', { size: [64] }),
    // @ts-expect-error misspelt
    datasets.load(stripes, { widht: 3 }),
  ];
  const right = () => [
    datasets.load('glyphs', { trainSize: 5, dir: 'unused' }),
    datasets.load('cifar-100', { labels: 'coarse', dir: 'data' }),
    datasets.load(stripes, { width: 3, seed: 1 }),
    datasets.load(datasets.byName('any'), { any: 'thing' }),
  ];
  expect([wrong, right]).toHaveLength(2);
});

/** Class k has k + 1 in every second column. */
const stripes = defineDataset({
  name: 'stripes',
  title: 'Stripes',
  about: 'two kinds of stripes, as wide as asked for',
  options: section('Stripes.', { width: v.optional(int('Pixels.', 1, 64), 8), ...subset }),
  people: false,
  files: null,
  load({ width, dir }) {
    expectTypeOf(width).toEqualTypeOf<number>();
    const split = (size: number) =>
      makeSplit({
        shape: [1, width, 1],
        images: Uint8Array.from(
          { length: size * width },
          (_, i) => (i % 2) * (1 + (Math.floor(i / width) % 2)),
        ),
        labels: Int32Array.from({ length: size }, (_, i) => i % 2),
      });
    const notes = [`found in ${dir ?? 'no folder'}`];
    return { classes: ['one', 'two'], train: split(40), test: split(10), notes, files: [], root: null };
  },
});

describe('a record of your own', () => {
  it('is loaded, cut down and described as the others are', async () => {
    const data = await datasets.load(stripes, { trainSize: 4, dir: 'here' });
    expect([data.name, data.shape, data.classes]).toEqual(['stripes', [1, 8, 1], ['one', 'two']]);
    expect([...data.train.labels].sort()).toEqual([0, 0, 1, 1]);
    expect(data.notes).toEqual(['found in here', '4 of 40 train samples, chosen by seed 0']);
    expect(await datasets.describe(stripes, { trainSize: 4, dir: 'here' })).toMatchObject({
      name: 'stripes',
      description: 'two kinds of stripes, as wide as asked for',
      classes: [
        { name: 'one', train: 2, test: 5 },
        { name: 'two', train: 2, test: 5 },
      ],
      hash: data.hash,
      files: [],
    });
    expect((await datasets.load(stripes, { width: 3 })).shape).toEqual([1, 3, 1]);
  });

  it('has its options checked in the same words, and cannot do what it does not say', async () => {
    const loose: DatasetRecord = stripes;
    const faults: [object, RegExp][] = [
      [{ widht: 3 }, /^stripes: unknown key "widht"; did you mean "width"\?$/],
      [{ width: 0 }, /^stripes: width: expected a whole number from 1 to 64, got 0$/],
      [{ trainSize: 1.5 }, /^stripes: trainSize: expected a whole number of at least 1, got 1.5$/],
      [{ trainSize: 41 }, /^trainSize: stripes has 40 train samples, asked for 41$/],
      [{ dir: 7 }, /^stripes: dir: expected text, got 7$/],
    ];
    for (const [options, line] of faults)
      await refuses(() => datasets.load(loose, options as LoadOptions<DatasetRecord>), 'value', line);
    await refuses(() => datasets.get(stripes), 'value', /^stripes cannot be downloaded; these can: mnist, /);
    await refuses(() => datasets.inspect(stripes), 'value', /^stripes is no folder of pictures/);
  });
});

/** What a module imports as soon as it is imported: files of the project by path, and others by name. */
function reached(start: string, seen = new Set<string>()): Set<string> {
  if (seen.has(start)) return seen;
  seen.add(start);
  if (!start.endsWith('.ts')) return seen;
  const source = readFileSync(join(root, start), 'utf8');
  for (const [, from] of source.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm))
    reached(from.startsWith('.') ? join(dirname(start), from) : from, seen);
  return seen;
}

describe('without Node', () => {
  it.each(['sets/glyphs.ts', 'batches.ts', 'split.ts', 'forget.ts', 'glyphs.ts', 'datasets.ts'])(
    'unlearn/data/%s imports no reader',
    (file) => {
      const all = [...reached(`unlearn/data/${file}`)];
      expect(all.filter((path) => path.startsWith('unlearn/data/readers/'))).toEqual([]);
      const sets = all.filter((path) => path.startsWith('unlearn/data/sets/'));
      if (file !== 'datasets.ts')
        expect(sets.filter((path) => !/\/(glyphs|record)\.ts$/.test(path))).toEqual([]);
      const named = (path: string) => [...reached(path)].filter((name) => name.startsWith('node:'));
      // sha256 stands beside what writes files.
      expect(named(`unlearn/data/${file}`).filter((n) => !named('unlearn/files.ts').includes(n))).toEqual([]);
    },
  );
});
