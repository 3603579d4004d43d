// A recipe names the file of a method: its options are checked by its own schema, and its sha256 is part of what names its
// results.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verdictOf } from '../../unlearn/index.ts';
import { renderReport, renderTable } from '../../unlearn/report/index.ts';
import { unlearnFile } from '../../unlearn/run/single.ts';
import { readRecipe, run } from '../../unlearn/run.ts';
import { sha256 } from '../../unlearn/sha256.ts';
import { TestWorld } from '../cli/world.ts';

// In the repository, so that `lethe` means its sources.
const folder = fileURLToPath(new URL('../../build/test-recipe-file/', import.meta.url));
const at = (name: string) => join(folder, name);
const here = (name: string) => relative('.', at(name));
const example = fileURLToPath(new URL('../../examples/next-best.mjs', import.meta.url));
const text = `name: own
dataset: { name: glyphs, options: { trainSize: 40, testSize: 20 } }
forget: { class: star }
model: { name: mlp, options: { hidden: [4] } }
train: { epochs: 1, batchSize: 20 }
methods:
  - file: ./next-best.mjs
    options: { epochs: 1, batchSize: 20 }
evaluate: { miaDraws: 1, images: false, exhibits: false }
device: reference
`;
const digest = sha256(readFileSync(example));

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(example, at('next-best.mjs'));
  writeFileSync(at('own.yaml'), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('reading', () => {
  test('the method goes by its own name, with its own options, and the sha256 of its file', async () => {
    const { methods } = await readRecipe(at('own.yaml'));
    expect(methods).toMatchObject([
      { name: 'retrain' },
      {
        name: 'nextBest',
        label: 'nextBest',
        file: here('next-best.mjs'),
        sha256: digest,
        options: { epochs: 1, batchSize: 20, learningRate: 0.005, momentum: 0.9, batchNorm: 'train' },
      },
    ]);
  });
  test('what is read back is the same', async () => {
    const recipe = await readRecipe(at('own.yaml'));
    const { recipe: again } = await run(JSON.parse(JSON.stringify(recipe)), {
      out: at('never'),
      dryRun: true,
    });
    expect(again).toEqual(recipe);
  });
  const wrong = async (...set: string[]) =>
    readRecipe(at('own.yaml'), set).then(
      () => 'no error',
      ({ message }) => message.replaceAll(at(''), ''),
    );
  test.each([
    [
      'methods.0.options.epoch=1',
      '--set methods.0.options.epoch=1: methods.0.options: unknown key "epoch"; did you mean "epochs"?',
    ],
    [
      'methods.0.options.epochs=-1',
      '--set methods.0.options.epochs=-1: methods.0.options.epochs: expected a whole number from 1 to 100000, got -1',
    ],
    [
      'methods.0.file=./none.mjs',
      '--set methods.0.file=./none.mjs: methods.0.file: ./none.mjs: there is no such file',
    ],
    [
      'methods.0.name=scrub',
      '--set methods.0.name=scrub: methods.0.name: expected the name of the method in the file, "nextBest", or none, got "scrub"',
    ],
    [
      'methods.0.label=original',
      '--set methods.0.label=original: methods.0.label: "original" is taken; expected a label of its own for each entry',
    ],
    ['methods.0.file=7', '--set methods.0.file=7: methods.0.file: expected a file name, got 7'],
    [
      `methods.0.sha256=${'a'.repeat(64)}`,
      expect.stringContaining(`methods.0.sha256: expected that of the file, ${digest}, got "aaa`),
    ],
    [
      `methods.1={ name: finetune, sha256: ${digest} }`,
      expect.stringContaining('methods.1.sha256: belongs to file'),
    ],
  ])('%s', async (set, message) => {
    const told = await wrong(set);
    expect(told.split('\n')[0]).toEqual(message);
  });
  test('two files with a method of the same name', async () => {
    writeFileSync(at('other.mjs'), `${readFileSync(example, 'utf8')}\n// Another.\n`);
    expect(await wrong('methods.1={ file: ./other.mjs, label: other }')).toContain(
      'methods.1.file: another file of this recipe has a method "nextBest"; expected names that differ',
    );
  });
});

describe('running', () => {
  const out = at('out');
  test('trains, unlearns, measures and reports; a changed file is computed again', async () => {
    const first = await run(at('own.yaml'), { out });
    expect(first.failures).toEqual([]);
    const results = first.results!;
    expect(results.recipe.methods).toMatchObject([{}, { name: 'nextBest', sha256: digest }]);
    expect(results.environment.methods).toEqual({
      nextBest: {
        title: 'Next best class',
        kind: 'approximate',
        paper: 'an example of the documentation',
        sha256: digest,
      },
    });
    const row = results.runs.find(({ method }) => method === 'nextBest')!;
    // An epoch over all 40, and a look at the 4 to be forgotten.
    expect(row.cost.samplesVisited).toBe(44);
    expect(renderTable(results)).toContain('Next best class');
    expect(verdictOf(results).headline).not.toContain('nextBest');
    const states = async () =>
      (await run(at('own.yaml'), { out, dryRun: true })).plan.map(({ id, state }) => `${id} ${state}`);
    expect(await states()).toEqual(['seed-0-original done', 'seed-0-retrain done', 'seed-0-nextBest done']);
    writeFileSync(at('next-best.mjs'), `${readFileSync(example, 'utf8')}\n// Changed.\n`);
    expect(await states()).toEqual([
      'seed-0-original done',
      'seed-0-retrain done',
      'seed-0-nextBest replace',
    ]);
    copyFileSync(example, at('next-best.mjs'));
  });
  test('a method with a preparation of its own', async () => {
    const source = `import { definePrepared, section } from 'lethe/method';
const cost = { seconds: 0, gradientSteps: 1, samplesVisited: 1 };
const told = { cost, details: {} };
export default definePrepared({
  name: 'keeps', title: 'Keeps ids', paper: 'none', kind: 'exact', tasks: ['classification'], startsFrom: 'nothing',
  options: section('Nothing.', {}), inherits: [], search: {},
  cost: () => ({ train: 1, infer: 0 }),
  forgetStatistics: () => false,
  async prepare(_, { data, artifact }) {
    await artifact.put('ids', JSON.stringify([...data.ids]));
    return told;
  },
  async forget(_, { ids, artifact }) {
    const before = JSON.parse(new TextDecoder().decode(await artifact.bytes('ids')));
    await artifact.put('ids', JSON.stringify(before.filter((id) => !ids.includes(id))));
    return told;
  },
  predict: async (_, { samples }) => new Float32Array(samples.size * 10),
});
`;
    writeFileSync(at('keeps.mjs'), source);
    writeFileSync(
      at('keeps.yaml'),
      text.replace(/methods:[\s\S]*?evaluate/, 'methods: [{ file: keeps.mjs }]\nevaluate'),
    );
    const { results, failures } = await run(at('keeps.yaml'), { out: at('keeps') });
    expect(failures).toEqual([]);
    const row = results!.runs.find(({ method }) => method === 'keeps')!;
    expect(row.details.preparation).toMatchObject({ gradientSteps: 1 });
    // Its record says that it is exact.
    expect(renderReport(results!)).toMatch(/Keeps ids<\/span><span class="tag ref">exact/);
  });
  test('two classes at once', async () => {
    const source = readFileSync(at('own.yaml'), 'utf8').replace('class: star', 'class: [star, 5]');
    writeFileSync(
      at('two.yaml'),
      source.replace('methods:', 'methods:\n  - { name: scrub, options: { epochs: 1 } }'),
    );
    const { results, failures } = await run(at('two.yaml'), { out: at('two') });
    expect(failures).toEqual([]);
    expect(results?.environment.forget).toMatchObject({ kind: 'class', classes: [3, 5], count: 8 });
    for (const { metrics } of results!.runs) expect(metrics.acc_test_forget).not.toBeNull();
    expect(renderReport(results!)).toContain('Forgetting classes “star” and “moon” in glyphs');
  });
  test('lethe run --dry-run plans it, and lethe unlearn takes it by its label, to the bits of the run', async () => {
    const world = new TestWorld();
    const plan = await world.run(['run', at('own.yaml'), '--out', 'DIR/out', '--dry-run', '--json']);
    const cell = JSON.parse(plan.out).cells.find(({ id }: { id: string }) => id === 'seed-0-nextBest');
    expect(cell.estimate.seconds).toBeGreaterThan(0);
    world.close();
    const weights = (name: string) => join(out, `checkpoints/seed-0-${name}.safetensors`);
    const recipe = await readRecipe(at('own.yaml'));
    const { file } = await unlearnFile(recipe, weights('original'), 'nextBest', at('forgot.safetensors'), {});
    expect(readFileSync(file).equals(readFileSync(weights('nextBest')))).toBe(true);
  });
});
