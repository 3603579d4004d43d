// `lethe audit` on real networks: weights as PyTorch names them, with our card or without, and every file that does not fit.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as lt from '../../index.ts';
import { datasets } from '../../unlearn/data/index.ts';
import { fileSource } from '../../unlearn/files.ts';
import { cardOf } from '../../unlearn/model.ts';
import { predict } from '../../unlearn/predict.ts';
import { checkRecipe } from '../../unlearn/recipe.ts';
import { defaultParts } from '../../unlearn/run/default-parts.ts';
import type { RunData } from '../../unlearn/run/parts.ts';
import type { Dataset, Split } from '../../unlearn/types.ts';
import { toParts } from '../../unlearn/weights.ts';
import { collect } from '../bytes.ts';
import { hasCpu } from '../native/support.ts';
import { TestWorld } from './world.ts';

const device = hasCpu ? 'cpu' : 'reference';
const plain = (model: string, forget = 'class: 3') => `name: given
dataset: { name: glyphs, options: { trainSize: 40, testSize: 20 } }
forget: { ${forget} }
model: { name: ${model} }
train: { batchSize: 4 }
evaluate: { exhibits: false, miaDraws: 1 }
device: ${device}
`;

let world: TestWorld;
let data: Dataset;
const audit = (...argv: string[]) => world.run(['audit', ...argv], { parts: defaultParts() });
const results = (out = 'out') => JSON.parse(readFileSync(world.path(`${out}/results.json`), 'utf8'));

/** Those of the recipe for this data. */
let constants: { mean: number[]; std: number[] };

/** A network of this name with weights of a seed. */
function network(name: 'smallCnn' | 'allCnn' | 'lenet', seed: number, normalise?: typeof constants) {
  const model = lt.nn.models[name]({ classes: 10, normalise });
  const key = lt.random.key(seed);
  const variables = lt.scope(() => model.init(key, [1, 32, 32, 3]));
  key.dispose();
  return { model, variables };
}

/** A file as PyTorch writes it: names and layouts, and not a word of Lethe. */
async function pytorchFile(file: string, { model, variables }: ReturnType<typeof network>, more = {}) {
  const tensors = await lt.io.toPyTorch(model, variables, { inputShape: [1, 32, 32, 3] });
  writeFileSync(world.path(file), await lt.io.saveSafetensors({ ...tensors, ...more }));
}

/** Share of a split that a network answers rightly, %. */
async function accuracy({ model, variables }: ReturnType<typeof network>, split: Split): Promise<number> {
  const logits = await predict(model, variables, split);
  const right = [...split.labels].filter((label, i) => {
    const row = logits.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row)) === label;
  });
  return (100 * right.length) / split.size;
}

beforeAll(async () => {
  await lt.init({ device });
  world = new TestWorld();
  data = await datasets.load(datasets.glyphs, { trainSize: 40, testSize: 20 });
  constants = { mean: [...data.mean], std: [...data.std] };
  for (const model of ['smallCnn', 'allCnn', 'lenet'])
    writeFileSync(world.path(`${model}.yaml`), plain(model));
  const card = cardOf(checkRecipe({ ...recipeOf('lenet'), methods: [{ name: 'retrain' }] }), data, null);
  const bare = network('lenet', 1);
  const file = async (name: string, change = {}) =>
    writeFileSync(
      world.path(name),
      await collect(toParts(bare.model, bare.variables, [32, 32, 3], { ...card, ...change })),
    );
  await file('card.safetensors');
  await file('size.safetensors', { shape: [28, 28, 1] });
  await file('names.safetensors', { classes: [...card.classes].reverse() });
  await file('other.safetensors', { model: { ...card.model, name: 'mlp' } });
  await pytorchFile('lenet.safetensors', network('lenet', 2, constants));
});
// A command closes the device at its end.
beforeEach(() => lt.init({ device }));
afterAll(() => world.close());

const recipeOf = (model: string) => ({
  name: 'given',
  dataset: { name: 'glyphs' },
  forget: { class: 3 },
  model: { name: model },
});

// On the reference they would take a minute.
describe.skipIf(!hasCpu)('files that PyTorch wrote', () => {
  it.each(['smallCnn', 'allCnn'] as const)('of %s are rows, normalised as the recipe says', async (name) => {
    const rights: number[] = [];
    for (const [i, role] of ['original', 'unlearned', 'retrained'].entries()) {
      const made = network(name, i + 1, constants);
      await pytorchFile(`${name}-${role}.safetensors`, made);
      rights.push(await accuracy(made, withoutClass(data.test, 3)));
    }
    const flags = ['original', 'unlearned', 'retrained'].flatMap((role) => [
      `--${role}`,
      world.path(`${name}-${role}.safetensors`),
    ]);
    const out = world.path(`out-${name}`);
    const { code, err, out: table } = await audit(world.path(`${name}.yaml`), ...flags, '--out', out);
    expect(err).toContain(`warning: Without constants of normalisation: ${name}-original.safetensors, `);
    expect(code, err).toBe(0);
    expect(table).toMatch(new RegExp(`^${name}-unlearned .*not known$`, 'm'));
    const { runs } = results(`out-${name}`);
    expect(runs.map((one: { method: string }) => one.method)).toEqual([
      'original',
      'retrain',
      `${name}-unlearned`,
    ]);
    for (const [i, row] of [runs[0], runs[2], runs[1]].entries())
      expect(row.metrics.ta).toBeCloseTo(rights[i], 9);
    const page = readFileSync(`${out}/report.html`, 'utf8');
    expect(page).toContain('not known');
    expect(page).toContain(`--unlearned ${name}-unlearned.safetensors`);
  });
});

describe('files of lenet', () => {
  const given = (original = 'card', unlearned = 'lenet') => [
    world.path('lenet.yaml'),
    '--original',
    world.path(`${original}.safetensors`),
    '--unlearned',
    world.path(`${unlearned}.safetensors`),
  ];

  it('that say their constants are normalised by them; without retrain there is no verdict', async () => {
    const right = await accuracy(network('lenet', 1), withoutClass(data.test, 3));
    const { code, err, out } = await audit(...given(), '--out', world.path('plain'), '--quiet');
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('No verdict: these results hold no retrained model to compare with.');
    const [original] = results('plain').runs;
    // The card says: no normalisation.
    expect(original.metrics.ta).toBeCloseTo(right, 9);
    expect(original.metrics.avg_gap).toBeNull();
  });

  it('are audited; what needs more than was given says so, and the next call makes nothing again', async () => {
    const set = ['--set', 'audits=[prototypes, cka, ulira, neighbours]', '--out', world.path('audited')];
    const { code, err } = await audit(...given(), ...set);
    expect(code, err).toBe(0);
    const [, row] = results('audited').runs;
    expect(row.audits.prototypes.failed).toBeUndefined();
    expect(row.audits.prototypes.values.prototypes).toEqual(expect.any(Number));
    const failed = ['cka', 'ulira', 'neighbours'].map((name) => row.audits[name].failed);
    expect(failed).toEqual([
      'cka: needs a retrained model',
      'ulira: needs reference models and the method, to run it on reference models',
      'neighbours: needs a retrained model',
    ]);
    const again = await audit(...given(), ...set);
    expect(again.err).toContain('plan: 2 cells, 2 done already');
    expect(again.err).not.toMatch(/: (take|evaluate|audit)$/m);
  });

  it('what was forgotten comes in a list of ids, or in the manifest of a run, whose samples are compared', async () => {
    const ids = [...data.train.ids].filter((_, i) => data.train.labels[i] === 3);
    writeFileSync(world.path('ids.txt'), `${ids.join('\r\n')}\n\n`);
    const plan = async (...more: string[]) => {
      const { code, out, err } = await audit(...given(), '--dry-run', '--json', ...more);
      return { code, err, data: code === 0 ? JSON.parse(out).data : null };
    };
    const listed = await plan('--forget', world.path('ids.txt'), '--set', 'forget=null');
    expect(listed.data).toMatchObject({ forget: ids.length, forgetClasses: ['star'] });
    const manifest = JSON.parse(readFileSync(world.path('plain/forget-manifest.json'), 'utf8'));
    writeFileSync(world.path('manifest.json'), JSON.stringify(manifest));
    const named = await plan('--forget', world.path('manifest.json'), '--set', 'forget.class=5');
    expect(named.data).toMatchObject({ forget: ids.length, forgetClasses: ['star'] });
    const changed = { ...manifest, hashes: [manifest.hashes[1], ...manifest.hashes.slice(1)] };
    writeFileSync(world.path('changed.json'), JSON.stringify(changed));
    expect((await plan('--forget', world.path('changed.json'))).err).toContain(
      'the sample differs from the one the manifest names',
    );
    for (const [text, message] of [
      ['', 'an empty list; expected a file name or an id a line'],
      ['a.png\n', 'the samples of glyphs are not files; use ids'],
      ['7000\n', 'no training sample of glyphs has id 7000'],
      ['{"version": 2}', 'forget manifest: expected "version": 1'],
    ]) {
      writeFileSync(world.path('wrong.txt'), text);
      const { code, err } = await plan('--forget', world.path('wrong.txt'));
      expect(err).toContain(message);
      expect(code).toBe(2);
    }
    expect((await plan('--forget', world.path('no-such'))).err).toMatch(
      /^lethe: error: --forget: could not read/,
    );
  });

  it('are looked at without leaving anything in memory, whether they fit or not', async () => {
    const parts = defaultParts();
    const recipe = checkRecipe({ ...recipeOf('lenet'), methods: [{ name: 'retrain' }] });
    const runData = { dataset: data } as RunData;
    const look = async (name: string) =>
      parts.fit(recipe, runData, await fileSource(world.path(`${name}.safetensors`)));
    const found: unknown[] = [];
    const leaks = await lt.findLeaks(async () => {
      found.push(await look('card'), await look('lenet'));
      await expect(look('size')).rejects.toThrow(/^weights for images/);
    });
    expect(leaks).toEqual([]);
    expect(found).toEqual([
      { described: true, constants: null },
      { described: false, constants },
    ]);
  });

  it('that do not fit are one line that says why, and nothing is written', async () => {
    const { model, variables } = network('lenet', 3);
    const five = lt.nn.models.lenet({ classes: 5 });
    const grey = lt.nn.models.lenet({ classes: 10 });
    const key = lt.random.key(0);
    await pytorchFile('five.safetensors', { model: five, variables: five.init(key, [1, 32, 32, 3]) });
    writeFileSync(
      world.path('grey.safetensors'),
      await lt.io.saveSafetensors(await lt.io.toPyTorch(grey, grey.init(key, [1, 32, 32, 1]))),
    );
    await pytorchFile('allCnn.safetensors', network('allCnn', 1));
    await pytorchFile('more.safetensors', { model, variables }, { 'fc9.weight': lt.zeros([1]) });
    writeFileSync(world.path('text.safetensors'), 'no safetensors at all');
    const whole = readFileSync(world.path('lenet.safetensors'));
    writeFileSync(world.path('half.safetensors'), whole.subarray(0, whole.length / 2));
    mkdirSync(world.path('folder.safetensors'));
    const wrong: [string, RegExp][] = [
      ['none', /could not read DIR\/none.safetensors: ENOENT/],
      ['folder', /DIR\/folder.safetensors: not a regular file/],
      ['text', /DIR\/text.safetensors: safetensors: /],
      ['half', /DIR\/half.safetensors: safetensors: /],
      ['allCnn', /does not fit lenet: missing conv1.bias, .*; unexpected classifier/],
      ['five', /wrong: fc3.bias is float32\[5\], expected float32\[10\]/],
      ['grey', /wrong: conv1.weight is float32\[6, 1, 5, 5\], expected float32\[6, 3, 5, 5\]/],
      ['more', /unexpected fc9.weight/],
      ['size', /weights for images of \[height, width, channels\] \[28, ?28, ?1\]; expected \[32, ?32, ?3\]/],
      ['names', /weights whose class 0 is "spiral"; expected "circle", as the data have it/],
      ['other', /weights for the network "mlp"; expected "lenet"/],
    ];
    for (const [name, message] of wrong) {
      const { code, err, out } = await audit(...given('card', name), '--out', world.path('nothing'));
      expect(err).toMatch(message);
      expect(err).toMatch(/^lethe: error: unlearned: [^\n]*\n$/);
      expect([code, out]).toEqual([2, '']);
    }
    expect(() => readFileSync(world.path('nothing/log.txt'))).toThrow('ENOENT');
  });
});

const withoutClass = (split: Split, gone: number): Split => {
  const rows = [...split.labels].flatMap((label, i) => (label === gone ? [] : [i]));
  const size = split.images.length / split.size;
  return {
    ...split,
    size: rows.length,
    images: Uint8Array.from(rows.flatMap((i) => [...split.images.subarray(size * i, size * (i + 1))])),
    labels: Int32Array.from(rows, (i) => split.labels[i]),
    ids: Int32Array.from(rows, (i) => split.ids[i]),
  };
};
