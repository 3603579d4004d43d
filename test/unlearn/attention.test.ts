// Grad-CAM beside PyTorch's (test/oracles/attention.py), beside class activation maps in closed form, and its edges.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Classifier, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { attentionMaps, resized } from '../../unlearn/attention.ts';
import { makeSplit } from '../../unlearn/data/split.ts';
import { disposeAll, stripes } from './problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

interface Maps {
  readonly maps: readonly number[];
  readonly peaks: readonly number[];
}
const oracle: {
  readonly images: readonly number[];
  readonly labels: readonly number[];
  readonly weights: Readonly<Record<string, { shape: number[]; values: number[] }>>;
  readonly ofLabels: Maps;
  readonly ofClass1: Maps;
} = JSON.parse(readFileSync(new URL('../oracles/attention.json', import.meta.url), 'utf8'));

const conv = (filters: number) => lt.nn.conv2d(filters, { padding: 1 });

describe('a network of two convolutions', () => {
  const model: Classifier = {
    ...lt.nn.sequential({
      conv1: conv(3),
      relu1: lt.nn.relu(),
      pool: lt.nn.maxPool({ size: 2 }),
      conv2: conv(4),
      relu2: lt.nn.relu(),
      flatten: lt.nn.flatten(),
      fc: lt.nn.dense(3),
    }),
    head: ['fc'],
  };
  const split = makeSplit({
    shape: [6, 8, 2],
    images: Uint8Array.from(oracle.images),
    labels: Int32Array.from(oracle.labels),
  });
  const variablesOf = (): Variables => {
    const params: Record<string, Record<string, lt.Tensor>> = {};
    for (const [name, { shape, values }] of Object.entries(oracle.weights)) {
      const [layer, part] = name.split('.');
      params[layer] = { ...params[layer], [part]: lt.tensor(Float64Array.from(values), { shape }) };
    }
    return { params, state: {} };
  };

  test.each([
    ['of the labels', undefined, oracle.ofLabels],
    ['of a class', 1, oracle.ofClass1],
  ])('has the maps that PyTorch has, %s', async (_, classIndex, expected) => {
    const variables = variablesOf();
    // The default layer is the last that gives images, relu2. A last batch that is not full.
    const found = await attentionMaps({ model, variables, split, classIndex, batchSize: 2 });
    expect([found.layer, found.height, found.width]).toEqual(['relu2', 6, 8]);
    expect(found.maps.length).toBe(expected.maps.length);
    // Pixels are float32 here.
    expected.maps.forEach((value, i) => expect(Math.abs(found.maps[i] - value)).toBeLessThan(1e-6));
    expected.peaks.forEach((value, i) => expect(Math.abs(found.peaks[i] - value)).toBeLessThan(1e-6));
    disposeAll(variables);
  });

  test('refuses layers without pixels, layers and classes that are not there, and leaves nothing', async () => {
    const variables = variablesOf();
    const ask = (more: object) => attentionMaps({ model, variables, split, ...more });
    await expect(ask({ layer: 'fc' })).rejects.toThrow(
      "attentionMaps: layer 'fc' gives [3] for a sample, expected height, width and channels",
    );
    await expect(ask({ layer: 'conv3' })).rejects.toThrow("the network has no layer 'conv3'");
    await expect(ask({ classIndex: 3 })).rejects.toThrow('classIndex 3, expected 0 to 2');
    expect(await lt.findLeaks(async () => void (await ask({})))).toEqual([]);
    disposeAll(variables);
  });

  test('maps of a network that is no longer finite are 0, and the peak says so', async () => {
    const variables = variablesOf();
    const { fc, ...rest } = variables.params as Record<string, Record<string, lt.Tensor>>;
    const bad = { ...fc, weight: lt.full([48, 3], Number.NaN) };
    const found = await attentionMaps({
      model,
      variables: { params: { ...rest, fc: bad }, state: {} },
      split,
    });
    expect(found.maps.every((value) => value === 0)).toBe(true);
    expect([...found.peaks].every(Number.isNaN)).toBe(true);
    bad.weight.dispose();
    disposeAll(variables);
  });
});

test('before a global average pool and a dense layer, it is the class activation map', async () => {
  // dz_c / dA_k is W[k, c] / pixels everywhere, so that map = relu(sum_k W[k, c] A_k) / pixels.
  const model = lt.nn.sequential({ conv: conv(3), pool: lt.nn.globalAvgPool(), fc: lt.nn.dense(3) });
  const variables = model.init(lt.random.key(5), [1, 6, 6, 1]);
  const split = stripes(4);
  const found = await attentionMaps({ model: { ...model, head: ['fc'] }, variables, split });
  const params = variables.params as unknown as Record<string, { weight: lt.Tensor; bias: lt.Tensor }>;
  const images = lt.tensor(
    Float64Array.from(split.images, (byte) => Math.fround(byte / 255)),
    {
      shape: [4, 6, 6, 1],
    },
  );
  const outputs = lt.conv2d(images, params.conv.weight, { padding: 1 }).add(params.conv.bias);
  const [seen, weight] = await Promise.all([outputs.data(), params.fc.weight.data()]);
  for (let i = 0; i < 4; i++) {
    const map = Array.from({ length: 36 }, (_, p) =>
      Math.max(
        0,
        [0, 1, 2].reduce(
          (sum, k) => sum + (weight[3 * k + split.labels[i]] * seen[(36 * i + p) * 3 + k]) / 36,
          0,
        ),
      ),
    );
    const peak = Math.max(...map);
    expect(found.peaks[i]).toBeCloseTo(peak, 6);
    map.forEach((value, p) => expect(found.maps[36 * i + p]).toBeCloseTo(peak > 0 ? value / peak : 0, 5));
  }
  disposeAll(variables);
});

test('interpolation between centres: by hand', () => {
  // Centres of two pixels brought to four: 0.25 and 0.75 between them, the outermost as they are.
  expect([...resized([0, 4], [1, 2], [1, 4])]).toEqual([0, 1, 3, 4]);
  expect([...resized([0, 4], [2, 1], [2, 3])]).toEqual([0, 0, 0, 4, 4, 4]);
  expect([...resized([1, 2, 3, 4], [2, 2], [1, 1])]).toEqual([2.5]);
});
