// The real parts, on the reference backend with a linear model: data, weights as bytes, evaluation, measured steps.

import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Model, Variables } from '../../../engine/nn/types.ts';
import { device } from '../../../engine/runtime.ts';
import * as lt from '../../../index.ts';
import { channelStatistics, forgetSet, makeSplit } from '../../../unlearn/data/index.ts';
import { cardOf, type ModelCard, readCard } from '../../../unlearn/model.ts';
import { checkRecipe } from '../../../unlearn/recipe.ts';
import type { Parts } from '../../../unlearn/run/parts.ts';
import { workshop } from '../../../unlearn/run/workshop.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { cardIn, fromBytes, parameterCount, toBytes } from '../../../unlearn/weights.ts';

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
    expect(await toBytes(linear, fromBytes(linear, bytes, small), small)).toEqual(bytes);
    expect(() => fromBytes(linear, bytes, [2, 2, 1])).toThrow(
      'weights of linear: params.dense.kernel is [12, 10], expected [4, 10]',
    );
    const bare: Model = { ...linear, init: () => ({ params: {}, state: {} }) };
    expect(() => fromBytes(bare, bytes, small)).toThrow(/params.dense.bias is not part of it/);
    const more: Model = {
      ...linear,
      init: (key, shape) => ({
        ...linear.init(key, shape),
        state: { seen: lt.zeros([1]), extra: lt.zeros([1]) },
      }),
    };
    expect(() => fromBytes(more, bytes, small)).toThrow('state.extra is missing; expected [1]');
    expect(() => fromBytes(linear, bytes.subarray(0, 50), small)).toThrow(
      /^weights of linear: safetensors: /,
    );
  });

  it('carry the names of PyTorch where the model is one of ours', async () => {
    const model = lt.nn.models.lenet({ classes: 10, normalise: { mean: 0.5, std: 0.5 } });
    const shape = [32, 32, 3];
    const variables = model.init(lt.random.key(1), [1, ...shape]);
    const bytes = await toBytes(model, variables, shape);
    const { tensors } = lt.io.loadSafetensors(bytes);
    expect(tensors['conv1.weight'].shape).toEqual([6, 3, 5, 5]);
    expect(await toBytes(model, fromBytes(model, bytes, shape), shape)).toEqual(bytes);
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
    expect(cardIn(await toBytes(linear, variables, small, card))).toEqual(card);
    const bare = { ...card, model: { ...card.model, normalise: null } };
    expect(cardIn(await toBytes(linear, variables, small, bare))?.model.normalise).toBeNull();
    expect(cardIn(await toBytes(linear, variables, small))).toBeNull();
    for (const lethe of [
      '{',
      '7',
      'null',
      JSON.stringify({ ...card, version: 2 }),
      JSON.stringify({ ...card, model: { ...card.model, normalise: { mean: 0 } } }),
    ]) {
      const bytes = await lt.io.saveSafetensors({ a: lt.zeros([1]) }, { lethe });
      expect(() => cardIn(bytes)).toThrow('the description of the model');
    }
  });
});

describe('the workshop', () => {
  it('loads, evaluates and measures what a recipe says', async () => {
    const parts = workshop(() => linear);
    expect(await parts.open('reference')).toMatchObject({ backend: 'reference', dtype: 'float32' });
    const material = await parts.load(recipe);
    expect(material.manifest).toMatchObject({ kind: 'class', classIndex: 3, count: 6 });
    const { shape } = material.dataset;
    const weights = await toBytes(linear, linear.init(lt.random.key(1), [1, ...shape]), shape);
    const task = { recipe, material, seed: 0, onProgress: () => {} };
    const { metrics, exhibits } = await parts.evaluate({ ...task, weights });
    expect(metrics.ua).toBeGreaterThanOrEqual(0);
    expect(exhibits?.samples).toHaveLength(14);
    // Pictures of people are shown only where that is asked for.
    const people = { ...recipe, dataset: { name: 'faces' as const, options: {} } };
    const hidden = await parts.evaluate({ ...task, recipe: people, weights });
    expect(hidden.exhibits?.samples).toHaveLength(0);
    const asked = { ...people, evaluate: { ...people.evaluate, images: true } };
    expect((await parts.evaluate({ ...task, recipe: asked, weights })).exhibits?.samples).toHaveLength(14);
    const cost = await parts.measure(recipe, material);
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
    const parts = workshop();
    const material = await parts.load(small);
    const { train } = material.dataset;
    const images = train.images.map((byte, i) =>
      train.labels[Math.floor(i / 3072)] === 3 ? 255 - byte : byte,
    );
    const dataset = { ...material.dataset, train: makeSplit({ ...train, images }) };
    const altered = {
      dataset: { ...dataset, ...channelStatistics(dataset.train) },
      ...forgetSet(dataset, { class: 3 }),
    };
    const store = { load: async () => null, save: async () => {} };
    const make = async (on: typeof material) => {
      const timed = <T>(work: () => Promise<T>) => work();
      const task = { recipe: small, material: on, seed: 0, onProgress: () => {}, checkpoint: store, timed };
      const original = await parts.train({ ...task, options: small.train });
      const [retrained, ascended] = await Promise.all(
        small.methods.map((method) => parts.unlearn({ ...task, method, weights: original.weights })),
      );
      const { metrics } = await parts.evaluate({ ...task, weights: retrained.weights });
      return {
        original: original.weights,
        retrained: retrained.weights,
        ascended: ascended.weights,
        metrics,
      };
    };
    const [one, other] = [await make(material), await make(altered)];
    expect(sha256(other.retrained)).toBe(sha256(one.retrained));
    expect(sha256(other.original)).not.toBe(sha256(one.original));
    expect([other.metrics.ra, other.metrics.ta]).toEqual([one.metrics.ra, one.metrics.ta]);
    const constants = (split: typeof train) => channelStatistics(split);
    expect(cardIn(one.retrained)?.model.normalise).toEqual(constants(material.retain));
    expect(cardIn(one.original)?.model.normalise).toEqual(constants(train));
    expect(cardIn(one.ascended)?.model.normalise).toEqual(constants(train));
    expect(cardIn(other.ascended)?.model.normalise).toEqual(constants(dataset.train));

    // Evaluation goes by the file, not by the data set: with other constants the same weights answer differently.
    const variables = fromBytes(lt.nn.mlp({ classes: 10, hidden: [4] }), one.retrained, [32, 32, 3]);
    const card = cardIn(one.retrained)!;
    const told = { ...card, model: { ...card.model, normalise: constants(material.forget) } };
    const wrong = await toBytes(lt.nn.mlp({ classes: 10, hidden: [4] }), variables, [32, 32, 3], told);
    const task = { recipe: small, material, seed: 0, onProgress: () => {} };
    expect((await parts.evaluate({ ...task, weights: wrong })).metrics.entropy_test).not.toBe(
      one.metrics.entropy_test,
    );
  });

  it('asks for a control where batch-norm would gather statistics of the forgotten data alone', async () => {
    const parts = workshop();
    const material = await parts.load(recipe);
    const needs = (name: string, options: object, model = 'allCnn') => {
      const base = { name: 'c', dataset: recipe.dataset, forget: { class: 3 }, model: { name: model } };
      const whole = checkRecipe({ ...base, methods: [{ name, options }] });
      return parts.needsControl(whole, material, whole.methods.find((m) => m.name === name)!);
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
    const parts = workshop();
    const small = {
      ...recipe,
      dataset: { name: 'glyphs' as const, options: { trainSize: 20, testSize: 10 } },
      model: { name: 'mlp' as const, options: { hidden: [2] }, normalisation: 'dataset' as const },
      train: { ...recipe.train, epochs: 1 },
    };
    const material = await parts.load(small);
    const checkpoint = { load: async () => null, save: async () => {} };
    const timed = <T>(work: () => Promise<T>) => work();
    const task = { recipe: small, material, seed: 0, checkpoint, timed, onProgress: () => {} };
    const { weights } = await parts.train({ ...task, options: small.train });
    const card = readCard(lt.io.loadSafetensors(weights).metadata);
    expect(card).toEqual(cardOf(small, material.dataset));
    expect(card).toMatchObject({ dataset: 'glyphs', shape: [32, 32, 3], classes: material.dataset.classes });
    expect(card?.model.normalise?.mean).toEqual(material.dataset.mean);
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
    const checkpoint = { load: async () => null, save: async () => {} };
    const train = async (parts: Parts, name: 'cpu' | 'reference') => {
      const { backend } = await parts.open(name);
      const material = await parts.load(small);
      const task = { recipe: small, material, seed: 0, checkpoint, onProgress: () => {} };
      const timed = <T>(work: () => Promise<T>) => work();
      const { weights } = await parts.train({ ...task, timed, options: small.train });
      const { metrics } = await parts.evaluate({ ...task, weights });
      await parts.measure(small, material);
      return { backend, weights: sha256(weights), ua: metrics.ua };
    };
    const alone = [await train(workshop(), 'cpu'), await train(workshop(), 'reference')];
    expect(alone.map((a) => a.backend)).toEqual(['cpu', 'reference']);
    expect(alone[0].weights).not.toBe(alone[1].weights);
    const [cpu, reference] = [workshop(), workshop()];
    expect(await Promise.all([train(cpu, 'cpu'), train(reference, 'reference')])).toEqual(alone);
    // The device of the process is nobody's business.
    expect(device().device).toBe('reference');
  });
});
