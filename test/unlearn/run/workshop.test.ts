// The real parts, on the reference backend with a linear model: data, weights as bytes, evaluation, measured steps.

import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Model, Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { cardOf, readCard } from '../../../unlearn/model.ts';
import { checkRecipe } from '../../../unlearn/recipe.ts';
import { findDevices } from '../../../unlearn/run/devices.ts';
import { workshop } from '../../../unlearn/run/workshop.ts';
import { fromBytes, parameterCount, toBytes } from '../../../unlearn/weights.ts';

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
    const cost = await parts.measure(recipe, material);
    expect(cost.parameters).toBe(30_730);
    for (const seconds of [cost.trainSeconds, cost.inferSeconds]) expect(seconds).toBeGreaterThan(0);
    expect(cost.bytes).toBeGreaterThan(1e6);
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

  it('devices: what each is or lacks, and what to do; auto takes one, no software adapter', async () => {
    const found = await findDevices();
    expect(found.map((d) => d.name)).toEqual(['webgpu', 'cpu', 'reference']);
    const [webgpu, cpu, reference] = found;
    expect(reference).toMatchObject({ available: true, advice: null });
    expect(cpu.available === (cpu.advice === null)).toBe(true);
    if (webgpu.info?.software !== false)
      expect(webgpu).toMatchObject({ chosen: false, advice: expect.any(String) });
    // With an adapter, taken or not, what it has; else what is missing.
    expect(webgpu.about).toMatch(/; has |^no adapter$|npm package webgpu/);
    if (inject('absent').webgpu === null) expect(webgpu).toMatchObject({ available: true });
    expect(found.filter((d) => d.chosen)).toHaveLength(1);
    await lt.init({ device: 'reference' });
  });
});
