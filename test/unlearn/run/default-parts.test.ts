// The real parts, on the reference backend with a linear model: data, weights as bytes, evaluation, measured steps.

import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Model, Variables } from '../../../engine/nn/types.ts';
import { device } from '../../../engine/runtime.ts';
import * as lt from '../../../index.ts';
import { Artifact, memoryStore } from '../../../unlearn/artifact.ts';
import { channelStatistics, forgetSet, makeSplit } from '../../../unlearn/data/index.ts';
import { cardOf, type ModelCard, readCard } from '../../../unlearn/model.ts';
import { predict } from '../../../unlearn/predict.ts';
import { checkRecipe } from '../../../unlearn/recipe.ts';
import { defaultParts } from '../../../unlearn/run/default-parts.ts';
import type { Output, Parts } from '../../../unlearn/run/parts.ts';
import { summarise, summaryLines } from '../../../unlearn/run/summary.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { cardIn, fromFile, parameterCount, toParts } from '../../../unlearn/weights.ts';
import { collect, source } from '../../bytes.ts';

const toBytes = (...given: Parameters<typeof toParts>) => collect(toParts(...given));
const opened = (bytes: Uint8Array) => lt.io.openSafetensors(source(bytes));
const fromBytes = async (model: Model, bytes: Uint8Array, shape: readonly number[]) =>
  fromFile(model, await opened(bytes), shape);
const cardOfBytes = async (bytes: Uint8Array) => cardIn(await opened(bytes));

/** What a step needs besides its own, and what it left. */
function bench() {
  let weights = new Uint8Array(0);
  const output: Output = {
    weights: async (parts) => {
      weights = await collect(parts);
    },
    put: async () => {},
  };
  const checkpoint = { load: async () => null, save: async () => {} };
  const timed = <T>(work: () => Promise<T>) => work();
  return { task: { output, checkpoint, timed, seed: 0, onProgress: () => {} }, left: () => weights };
}

const linear: Model = {
  name: 'linear',
  init: (key, [, h, w, c]) => ({
    params: { dense: { kernel: lt.random.normal(key, [h * w * c, 10]), bias: lt.zeros([10]) } },
    state: { seen: lt.zeros([1]) },
  }),
  apply: ({ params, state }: Variables, x) => {
    const { kernel, bias } = (params as { dense: { kernel: lt.Tensor; bias: lt.Tensor } }).dense;
    return { output: lt.matmul(lt.reshape(x, [x.shape[0], -1]), kernel).add(bias), state };
  },
};

const recipe = checkRecipe({
  name: 'tiny',
  dataset: { name: 'glyphs', options: { trainSize: 60, testSize: 30 } },
  forget: { class: 3 },
  model: { name: 'lenet' },
  train: { batchSize: 16 },
  methods: [{ name: 'finetune' }],
  device: 'reference',
});

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

describe('weights as bytes', () => {
  it('come back as they were, and only into the same form', async () => {
    const small = [2, 2, 3];
    const variables = linear.init(lt.random.key(1), [1, ...small]);
    expect(parameterCount(variables)).toBe(130);
    const bytes = await toBytes(linear, variables, small);
    expect(await toBytes(linear, await fromBytes(linear, bytes, small), small)).toEqual(bytes);
    await expect(fromBytes(linear, bytes, [2, 2, 1])).rejects.toThrow(
      'weights of linear: params.dense.kernel is [12, 10], expected [4, 10]',
    );
    const bare: Model = { ...linear, init: () => ({ params: {}, state: {} }) };
    await expect(fromBytes(bare, bytes, small)).rejects.toThrow(/params.dense.bias is not part of it/);
    const more: Model = {
      ...linear,
      init: (key, shape) => ({
        ...linear.init(key, shape),
        state: { seen: lt.zeros([1]), extra: lt.zeros([1]) },
      }),
    };
    await expect(fromBytes(more, bytes, small)).rejects.toThrow('state.extra is missing; expected [1]');
    const { tensor } = await opened(bytes);
    const holed = { ...(await opened(bytes)), tensor: (name: string) => tensor(`no ${name}`) };
    const leaks = await lt.findLeaks(() =>
      expect(fromFile(linear, holed, small)).rejects.toThrow(/^weights of linear: safetensors: /),
    );
    expect(leaks).toEqual([]);
  });

  it('carry the names of PyTorch where the model is one of ours', async () => {
    const model = lt.nn.models.lenet({ classes: 10, normalise: { mean: 0.5, std: 0.5 } });
    const shape = [32, 32, 3];
    const variables = model.init(lt.random.key(1), [1, ...shape]);
    const bytes = await toBytes(model, variables, shape);
    const { tensors } = lt.io.loadSafetensors(bytes);
    expect(tensors['conv1.weight'].shape).toEqual([6, 3, 5, 5]);
    expect(await toBytes(model, await fromBytes(model, bytes, shape), shape)).toEqual(bytes);
  });

  it('say with which constants they were trained, and refuse a card that is damaged', async () => {
    const small = [2, 2, 3];
    const variables = linear.init(lt.random.key(1), [1, ...small]);
    const normalise = { mean: [0.1, 1 / 3, 0.5], std: [1, 0.2, 0.3] };
    const card: ModelCard = {
      version: 1,
      model: { name: 'mlp', options: {}, normalise },
      dataset: 'glyphs',
      classes: ['a', 'é'],
      shape: [2, 2, 3],
    };
    expect(await cardOfBytes(await toBytes(linear, variables, small, card))).toEqual(card);
    const bare = { ...card, model: { ...card.model, normalise: null } };
    const told = await cardOfBytes(await toBytes(linear, variables, small, bare));
    expect(told?.model.normalise).toBeNull();
    expect(await cardOfBytes(await toBytes(linear, variables, small))).toBeNull();
    for (const lethe of [
      '{',
      '7',
      'null',
      JSON.stringify({ ...card, version: 2 }),
      JSON.stringify({ ...card, model: { ...card.model, normalise: { mean: 0 } } }),
    ]) {
      const bytes = await lt.io.saveSafetensors({ a: lt.zeros([1]) }, { lethe });
      await expect(cardOfBytes(bytes)).rejects.toThrow('the description of the model');
    }
  });
});

describe('the default parts', () => {
  it('refuses a model that the memory of the machine cannot hold, before it makes any of it', async () => {
    const parts = defaultParts();
    await parts.open('reference');
    const runData = await parts.load(recipe);
    const { buffers } = lt.memory();
    const hidden = [65_536, 65_536, 65_536, 65_536, 65_536, 65_536, 65_536];
    const huge = checkRecipe({ ...recipe, model: { name: 'mlp', options: { hidden } } });
    // 3072 * 65536 + 6 * 65536 ^ 2 + 65536 * 10 weights, 7 * 65536 + 10 biases.
    await expect(parts.measure(huge, runData)).rejects.toThrow(
      /^model: mlp with 25,972,244,490 parameters takes 290 GiB to train .*; expected a model for the .* GiB of this machine$/,
    );
    expect(lt.memory().buffers).toBe(buffers);
  });

  it('makes no weights to tell what a method needs: none would have room for these', async () => {
    const init = () => ({ params: {}, state: { seen: lt.zeros([2 ** 20, 2 ** 20]) } });
    const parts = defaultParts({ architecture: () => ({ ...linear, init }) });
    await parts.open('reference');
    const whole = checkRecipe({ ...recipe, methods: [{ name: 'gradientAscent' }] });
    const runData = await parts.load(whole);
    expect(parts.needs(whole, runData, whole.methods[1])).toMatchObject({ control: true });
    expect(init).toThrow('out of memory');
  });

  it('loads, evaluates and measures what a recipe says', async () => {
    const parts = defaultParts({ architecture: () => linear });
    expect(await parts.open('reference')).toMatchObject({ backend: 'reference', dtype: 'float32' });
    const runData = await parts.load(recipe);
    expect(runData.manifest).toMatchObject({ kind: 'class', classIndex: 3, count: 6 });
    const several = await parts.load({ ...recipe, forget: { class: ['star', 5] } });
    expect(several.manifest).toMatchObject({ kind: 'class', classes: [3, 5], count: 12 });
    expect(summaryLines(summarise(several))[1]).toBe(
      'to forget: 12 training samples, all of classes star and moon',
    );
    const { shape } = runData.dataset;
    const weights = source(await toBytes(linear, linear.init(lt.random.key(1), [1, ...shape]), shape));
    const task = { recipe, runData, seed: 0, onProgress: () => {} };
    const { metrics, exhibits } = await parts.evaluate({ ...task, weights });
    expect(metrics.ua).toBeGreaterThanOrEqual(0);
    const two = await parts.evaluate({ ...task, runData: several, weights });
    const { labels } = several.dataset.test;
    const gone = [...labels].filter((label) => label === 3 || label === 5).length / labels.length;
    const { acc_test_forget, acc_test_retain } = two.metrics;
    // A share of the test set is gone; together they are all of it.
    const all = await parts.evaluate({
      ...task,
      runData: { ...several, manifest: { ...several.manifest, classes: [] } },
      weights,
    });
    expect(gone * (acc_test_forget ?? 0) + (1 - gone) * acc_test_retain).toBeCloseTo(all.metrics.ta, 9);
    expect(exhibits?.samples).toHaveLength(14);
    // Pictures of people are shown only where that is asked for.
    const people = { ...recipe, dataset: { name: 'faces' as const, options: {} } };
    const hidden = await parts.evaluate({ ...task, recipe: people, weights });
    expect(hidden.exhibits?.samples).toHaveLength(0);
    const asked = { ...people, evaluate: { ...people.evaluate, images: true } };
    expect((await parts.evaluate({ ...task, recipe: asked, weights })).exhibits?.samples).toHaveLength(14);
    const cost = await parts.measure(recipe, runData);
    expect(cost.parameters).toBe(30_730);
    for (const seconds of [cost.trainSeconds, cost.inferSeconds]) expect(seconds).toBeGreaterThan(0);
    expect(cost.bytes).toBeGreaterThan(1e6);
  });

  it('retrain depends on no byte of the forgotten images; what comes of the original keeps its constants', async () => {
    const small = checkRecipe({
      name: 'tiny',
      dataset: { name: 'glyphs', options: { trainSize: 60, testSize: 30 } },
      forget: { class: 3 },
      model: { name: 'mlp', options: { hidden: [4] } },
      train: { batchSize: 16, epochs: 2 },
      methods: [{ name: 'retrain' }, { name: 'gradientAscent', options: { epochs: 1 } }],
      device: 'reference',
    });
    const parts = defaultParts();
    const runData = await parts.load(small);
    const { train } = runData.dataset;
    const images = train.images.map((byte, i) =>
      train.labels[Math.floor(i / 3072)] === 3 ? 255 - byte : byte,
    );
    const dataset = { ...runData.dataset, train: makeSplit({ ...train, images }) };
    const altered = {
      dataset: { ...dataset, ...channelStatistics(dataset.train) },
      ...forgetSet(dataset, { class: 3 }),
      validation: null,
    };
    const make = async (on: typeof runData) => {
      const step = async (work: (task: ReturnType<typeof bench>['task'] & object) => Promise<unknown>) => {
        const { task, left } = bench();
        await work(task);
        return left();
      };
      const given = { recipe: small, runData: on };
      const original = await step((task) => parts.train({ ...task, ...given, options: small.train }));
      const [retrained, ascended] = await Promise.all(
        small.methods.map((method) => {
          const weights = method.name === 'retrain' ? null : source(original);
          return step((task) => parts.unlearn({ ...task, ...given, method, weights }));
        }),
      );
      const { task } = bench();
      const { metrics } = await parts.evaluate({ ...task, ...given, weights: source(retrained) });
      return { original, retrained, ascended, metrics };
    };
    const [one, other] = [await make(runData), await make(altered)];
    expect(sha256(other.retrained)).toBe(sha256(one.retrained));
    expect(sha256(other.original)).not.toBe(sha256(one.original));
    expect([other.metrics.ra, other.metrics.ta]).toEqual([one.metrics.ra, one.metrics.ta]);
    const constants = (split: typeof train) => channelStatistics(split);
    expect((await cardOfBytes(one.retrained))?.model.normalise).toEqual(constants(runData.retain));
    expect((await cardOfBytes(one.original))?.model.normalise).toEqual(constants(train));
    expect((await cardOfBytes(one.ascended))?.model.normalise).toEqual(constants(train));
    expect((await cardOfBytes(other.ascended))?.model.normalise).toEqual(constants(dataset.train));

    // Evaluation goes by the file, not by the data set: with other constants the same weights answer differently.
    const variables = await fromBytes(lt.nn.mlp({ classes: 10, hidden: [4] }), one.retrained, [32, 32, 3]);
    const card = (await cardOfBytes(one.retrained))!;
    const told = { ...card, model: { ...card.model, normalise: constants(runData.forget) } };
    const wrong = await toBytes(lt.nn.mlp({ classes: 10, hidden: [4] }), variables, [32, 32, 3], told);
    const task = { recipe: small, runData, seed: 0, onProgress: () => {} };
    expect((await parts.evaluate({ ...task, weights: source(wrong) })).metrics.entropy_test).not.toBe(
      one.metrics.entropy_test,
    );
  });

  it('what a method prepared and forgot has no bit of the forgotten images, whatever they were', async () => {
    const small = checkRecipe({
      name: 'tiny',
      dataset: { name: 'glyphs', options: { trainSize: 60, testSize: 30 } },
      forget: { class: 3 },
      model: { name: 'mlp', options: { hidden: [4] }, normalisation: 'dataset' },
      train: { batchSize: 16, epochs: 2 },
      methods: [{ name: 'sisa', options: { shards: 2, slices: 2 } }],
      device: 'reference',
    });
    const parts = defaultParts();
    const runData = await parts.load(small);
    const method = small.methods.find(({ name }) => name === 'sisa')!;
    expect(parts.needs(small, runData, method)).toEqual({
      original: false,
      preparation: true,
      control: false,
    });
    const { train } = runData.dataset;
    const forgotten = (position: number) => runData.manifest.ids.includes(train.ids[position]);
    const images = train.images.map((byte, i) => (forgotten(Math.floor(i / 3072)) ? 255 - byte : byte));
    const dataset = { ...runData.dataset, train: makeSplit({ ...train, images }) };
    const altered = {
      dataset: { ...dataset, ...channelStatistics(dataset.train) },
      ...forgetSet(dataset, { class: 3 }),
      validation: null,
    };
    const forget = async (on: typeof runData) => {
      const artifact = Artifact.create(memoryStore(), { method: 'sisa', key: '' });
      const { task: given } = bench();
      const task = { ...given, recipe: small, runData: on, method, artifact };
      await parts.prepare(task);
      const prepared = artifact.digest();
      const { details } = await parts.forget(task);
      expect(details.chainsHit).toBeGreaterThan(0);
      const { metrics } = await parts.evaluate({ ...task, runData });
      return { prepared, digest: artifact.digest(), metrics };
    };
    const [one, other] = [await forget(runData), await forget(altered)];
    expect(other.prepared).not.toBe(one.prepared);
    expect(other.digest).toBe(one.digest);
    expect(other.metrics).toEqual(one.metrics);
    expect(one.metrics.ra).toBeGreaterThanOrEqual(0);
    expect(() => parts.needs(small, runData, { ...method, name: 'sissa' })).toThrow(/^no method "sissa"/);
    const { task } = bench();
    const artifact = Artifact.create(memoryStore(), { method: 'finetune', key: '' });
    const wrong = { ...task, recipe: small, runData, method: { ...method, name: 'finetune' }, artifact };
    await expect(parts.prepare(wrong)).rejects.toThrow('finetune has no preparation of its own');
  });

  it('what is held out for validation is trained on by nobody, and handed to methods', async () => {
    const given = {
      name: 'tiny',
      dataset: { name: 'glyphs', options: { trainSize: 80, testSize: 20 } },
      forget: { class: 3 },
      model: { name: 'mlp', options: { hidden: [4] } },
      train: { batchSize: 16, epochs: 1 },
      methods: [{ name: 'retrain' }],
      device: 'reference',
    };
    const small = checkRecipe({ ...given, validation: 0.25 });
    const parts = defaultParts();
    const whole = await parts.load(checkRecipe(given));
    const runData = await parts.load(small);
    const { dataset, validation } = runData;
    const ids = [...runData.forget.ids, ...runData.retain.ids, ...validation!.ids];
    expect(ids.sort((a, b) => a - b)).toEqual([...whole.dataset.train.ids].sort((a, b) => a - b));
    expect([...validation!.labels]).toContain(3);
    expect(dataset.hash).toBe(whole.dataset.hash);
    expect(dataset.notes.at(-1)).toBe(
      `${validation!.size} of 80 training samples are held out for validation`,
    );

    // Whatever its bytes: the same original, the same retrain. A method is given it: retrain measures itself on it.
    const made = async (held: typeof validation) => {
      const { task, left } = bench();
      const on = { recipe: small, runData: { ...runData, validation: held } };
      await parts.train({ ...task, ...on, options: small.train });
      const original = left();
      const { details } = await parts.unlearn({ ...task, ...on, method: small.methods[0], weights: null });
      return {
        original: sha256(original),
        retrained: sha256(left()),
        details,
        card: await cardOfBytes(left()),
      };
    };
    const one = await made(validation);
    const other = await made(
      makeSplit({ ...validation!, images: validation!.images.map((byte) => 255 - byte) }),
    );
    expect([other.original, other.retrained]).toEqual([one.original, one.retrained]);
    expect((one.details.history as object[])[0]).toHaveProperty('validationAccuracy');
    expect(one.card?.model.normalise).toEqual(channelStatistics(runData.retain));

    const named = checkRecipe({ ...given, validation: 0.25, forget: { ids: [validation!.ids[0]] } });
    await expect(parts.load(named)).rejects.toThrow(
      `forget: ${validation!.ids[0]} is held out for validation, no model is trained on it (1 in all)`,
    );
    const few = { ...given, dataset: { name: 'glyphs', options: { trainSize: 10, testSize: 10 } } };
    await expect(parts.load(checkRecipe({ ...few, validation: 0.5 }))).rejects.toThrow(
      /validation: 0.5 of 10 training samples leaves none of class .* to train on/,
    );
    await expect(parts.load(checkRecipe({ ...few, validation: 1e-9 }))).rejects.toThrow(
      'leaves none to judge by',
    );
  });

  it('judges by held-out images where a search does: VA for TA, and the distance from unseen images', async () => {
    const small = checkRecipe({
      name: 'tiny',
      dataset: { name: 'glyphs', options: { trainSize: 100, testSize: 20 } },
      forget: { class: 3 },
      validation: 0.3,
      model: { name: 'mlp', options: { hidden: [16] } },
      train: { batchSize: 16, epochs: 3, learningRate: 0.01 },
      methods: [{ name: 'retrain' }],
      device: 'reference',
    });
    const parts = defaultParts();
    const runData = await parts.load(small);
    const { task, left } = bench();
    const given = { ...task, recipe: small, runData };
    await parts.train({ ...given, options: small.train });
    const weights = source(left());
    const found = await parts.evaluate({ ...given, weights, judge: 'validation' });
    expect(await parts.evaluate({ ...given, weights })).not.toHaveProperty('unseen');

    // The same from predictions, in plain loops.
    const card = (await cardOfBytes(left()))!;
    const model = lt.nn.mlp({ classes: 10, hidden: [16], normalise: card.model.normalise! });
    const variables = await fromBytes(model, left(), [32, 32, 3]);
    const right = async (split: typeof runData.forget, is: (label: number) => boolean) => {
      const logits = await predict(model, variables, split);
      const rows = [...split.labels.keys()].filter((i) => is(split.labels[i]));
      const hits = rows.filter((i) => {
        const row = [...logits.subarray(10 * i, 10 * i + 10)];
        return row.indexOf(Math.max(...row)) === split.labels[i];
      });
      return (100 * hits.length) / rows.length;
    };
    const held = runData.validation!;
    expect(found.metrics.ta).toBeCloseTo(await right(held, (label) => label !== 3), 9);
    const named = [await right(runData.forget, () => true), await right(held, (label) => label === 3)];
    expect(found.metrics.ua).toBeCloseTo(100 - named[0], 9);
    expect(found.unseen).toBeCloseTo((named[0] + named[1]) / 2, 9);
    expect(found.unseen).toBeGreaterThan(0);
    const none = { ...runData, validation: null };
    await expect(parts.evaluate({ ...given, runData: none, weights, judge: 'validation' })).rejects.toThrow(
      'validation: no images were held out to judge by',
    );
  });

  it('asks for a control where batch-norm would gather statistics of the forgotten data alone', async () => {
    const parts = defaultParts();
    const runData = await parts.load(recipe);
    const needs = (name: string, options: object, model = 'allCnn') => {
      const base = { name: 'c', dataset: recipe.dataset, forget: { class: 3 }, model: { name: model } };
      const whole = checkRecipe({ ...base, methods: [{ name, options }] });
      return parts.needs(whole, runData, whole.methods.find((m) => m.name === name)!).control;
    };
    expect(needs('boundaryShrink', {})).toBe(true);
    expect(needs('boundaryExpanding', {})).toBe(true);
    expect(needs('gradientAscent', {})).toBe(true);
    expect(needs('randomLabels', { order: 'forgetOnly' })).toBe(true);
    expect(needs('randomLabels', {})).toBe(false);
    expect(needs('finetune', {})).toBe(false);
    expect(needs('retrain', {})).toBe(false);
    expect(needs('boundaryShrink', { batchNorm: 'frozen' })).toBe(false);
    expect(needs('boundaryShrink', {}, 'smallCnn')).toBe(false);
  });

  it('writes weights that say what they are of', async () => {
    const parts = defaultParts();
    const small = {
      ...recipe,
      dataset: { name: 'glyphs' as const, options: { trainSize: 20, testSize: 10 } },
      model: { name: 'mlp' as const, options: { hidden: [2] }, normalisation: 'dataset' as const },
      train: { ...recipe.train, epochs: 1 },
    };
    const runData = await parts.load(small);
    const { task, left } = bench();
    await parts.train({ ...task, recipe: small, runData, options: small.train });
    const card = readCard(lt.io.loadSafetensors(left()).metadata);
    expect(card).toEqual(cardOf(small, runData.dataset));
    expect(card).toMatchObject({ dataset: 'glyphs', shape: [32, 32, 3], classes: runData.dataset.classes });
    expect(card?.model.normalise?.mean).toEqual(runData.dataset.mean);
  });

  it.skipIf(inject('absent').cpu !== null)('two at once stay on their own devices', async () => {
    const small = checkRecipe({
      name: 'tiny',
      dataset: { name: 'glyphs', options: { trainSize: 60, testSize: 30 } },
      forget: { class: 3 },
      model: { name: 'mlp', options: { hidden: [4] } },
      train: { batchSize: 16, epochs: 2 },
      methods: [{ name: 'retrain' }],
    });
    const train = async (parts: Parts, name: 'cpu' | 'reference') => {
      const { backend } = await parts.open(name);
      const runData = await parts.load(small);
      const { task: given, left } = bench();
      const task = { ...given, recipe: small, runData };
      await parts.train({ ...task, options: small.train });
      const { metrics } = await parts.evaluate({ ...task, weights: source(left()) });
      await parts.measure(small, runData);
      return { backend, weights: sha256(left()), ua: metrics.ua };
    };
    const alone = [await train(defaultParts(), 'cpu'), await train(defaultParts(), 'reference')];
    expect(alone.map((a) => a.backend)).toEqual(['cpu', 'reference']);
    expect(alone[0].weights).not.toBe(alone[1].weights);
    const [cpu, reference] = [defaultParts(), defaultParts()];
    expect(await Promise.all([train(cpu, 'cpu'), train(reference, 'reference')])).toEqual(alone);
    // The device of the process is nobody's business.
    expect(device().device).toBe('reference');
  });
});
