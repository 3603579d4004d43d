// What the exact methods promise beyond the kit: 20 trained removals to the bit, the cost of each counted and in closed form,
// requests that wait, answers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import * as lt from '../../../index.ts';
import { Artifact, memoryStore } from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import { imageEntropy, mostEntropy } from '../../../unlearn/data/entropy.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { blocksOf } from '../../../unlearn/methods/arcane.ts';
import { partOf } from '../../../unlearn/methods/dealing.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import type { PreparedMethod } from '../../../unlearn/methods/prepared.ts';
import { shardsOf } from '../../../unlearn/methods/sisa.ts';
import {
  changed,
  evenEpochs,
  expectedVisits,
  type Layout,
  stagesOf,
  visitsOf,
} from '../../../unlearn/methods/stages.ts';
import { Stream } from '../../../unlearn/random.ts';
import { stripes, tinyMlp } from '../problems.ts';
import { without } from './kit.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-exact-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const train = { epochs: 2, batchSize: 16, learningRate: 0.01 };
const data = stripes(40);
/** Every fifth sample is likely to be removed. */
const likelihood = Array.from({ length: 40 }, (_, id) => (id % 5 === 0 ? 0.9 : 0.1));
const kinds: [string, () => PreparedMethod][] = [
  ['sisa', () => methods.sisa({ shards: 3, slices: 2, train })],
  ['sisa, likely apart', () => methods.sisa({ shards: 3, slices: 2, likelihood, train })],
  ['arcane', () => methods.arcane({ blocks: 2, train })],
  ['arcane, svdd', () => methods.arcane({ oneClass: 'svdd', calibrate: 'quantile', blocks: 2, train })],
  ['arcane, select', () => methods.arcane({ blocks: 3, select: 0.6, likelihood, train })],
];
const input = () => ({ model: tinyMlp(), data, key: lt.random.key(6) });

for (const device of ['reference', 'cpu'] as const)
  describe.skipIf(device === 'cpu' && inject('absent').cpu !== null)(`removals on ${device}`, () => {
    beforeAll(async () => {
      await lt.init({ device });
    });
    // 20 for each as it is, some with samples of all kinds for each with options.
    test.each(kinds)('%s: each comes to the bits of never having seen the sample', async (name, make) => {
      const method = make();
      const prepared = await method.prepare(input());
      for (let id = 0; id < 40; id += name.includes(',') ? 7 : 2) {
        const after = await method.forget(prepared, { ids: [id] });
        const anew = await method.prepare({ ...input(), data: without(data, [id]) });
        expect(method.digest(after), `without ${id}`).toBe(method.digest(anew));
        // A sample that was not selected was never seen.
        if (!name.includes('select')) expect(method.digest(after)).not.toBe(method.digest(prepared));
      }
    });
  });

describe('requests', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });

  test.each(kinds)('%s: at once, one by one, and in any order come to the same', async (_, make) => {
    const method = make();
    const prepared = await method.prepare(input());
    const anew = await method.prepare({ ...input(), data: without(data, [3, 17, 20, 31]) });
    const orders = [[[3, 17, 20, 31]], [[31], [20], [17], [3]], [[17, 31], [3, 17], [20]]];
    for (const order of orders) {
      let after = prepared;
      for (const ids of order) after = await method.forget(after, { ids });
      expect(method.digest(after)).toBe(method.digest(anew));
    }
  });

  test.each(kinds)('%s: what waits lasts, and goes in one batch', async (name, make) => {
    const method = make();
    const place = { folder: join(folder, name) };
    const prepared = await method.prepare({ ...input(), ...place });
    const digest = method.digest(prepared);
    expect(await method.queue(prepared, { ids: [17] })).toEqual([17]);
    expect(await method.queue(prepared, { ids: [3, 17, 999] })).toEqual([3, 17, 999]);
    // Another process: the preparation is there, and so is what waits.
    const reopened = await make().prepare({ ...input(), ...place });
    expect(method.digest(reopened)).toBe(digest);
    expect(reopened.artifact.notes.queue).toEqual([3, 17, 999]);
    const after = await method.forget(reopened, { ids: [31] }, place);
    const anew = await method.prepare({ ...input(), data: without(data, [3, 17, 31]) });
    expect(method.digest(after)).toBe(method.digest(anew));
    const kept = await Artifact.open(folderStore(place.folder));
    expect([kept.notes.queue, kept.notes.removed]).toEqual([undefined, [3, 17, 31]]);
    const nothing = await method.forget(after, { ids: [3, 17, 31, 999] });
    expect(nothing.cost).toMatchObject({ gradientSteps: 0, samplesVisited: 0 });
  });

  test('a whole class: ARCANE has no network for it, and no share is its own', async () => {
    const method = methods.arcane({ blocks: 2, train });
    const ids = [...data.ids].filter((_, i) => data.labels[i] === 1);
    const after = await method.forget(await method.prepare(input()), { ids });
    expect(after.cost.gradientSteps).toBe(0);
    expect(after.artifact.names()).toEqual(
      [0, 2].flatMap((k) => [0, 1].map((b) => `classes/${k}/block-${b}`)),
    );
    const shares = await method.predict(after, data);
    for (let i = 0; i < data.size; i++) expect(shares[3 * i + 1]).toBe(0);
  });
});

describe('cost', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });

  const key = () => lt.random.key(6);
  const sisa = { shards: 3, slices: 2, train };
  const layout = (stages: number, epochs: number): Layout => ({
    unit: 'slice',
    epochs: evenEpochs(epochs, stages),
    cumulative: true,
  });

  test('epochs of cumulative stages come to what plain training costs', () => {
    expect(evenEpochs(10, 3)).toEqual([5, 5, 5]);
    expect(evenEpochs(5, 3)).toEqual([2, 3, 2]);
    expect(evenEpochs(12, 1)).toEqual([12]);
  });

  test('SISA: a sample of each shard and slice costs what the sizes say', async () => {
    const method = methods.sisa(sisa);
    const prepared = await method.prepare(input());
    const chains = await shardsOf(method.options, data, key());
    const epochs = evenEpochs(2, 2);
    for (const { stages } of chains)
      for (const [slice, ids] of stages.entries()) {
        let expected = 0;
        for (let i = slice; i < 2; i++) expected += epochs[i] * (stages.slice(0, i + 1).flat().length - 1);
        const { cost } = await method.forget(prepared, { ids: [ids[0]] });
        expect(cost.samplesVisited).toBe(expected);
      }
  });

  // By rotations a sample passes through the network four times, and that is all. Deep SVDD looks at the first block for the
  // centre, and at the class for its distances.
  test.each([
    { oneClass: 'rotations', views: 4, looks: 0 },
    { oneClass: 'svdd', views: 1, looks: 1 },
  ] as const)(
    'ARCANE by $oneClass: a sample of each class and block costs its blocks from there on',
    async ({ oneClass, views, looks }) => {
      const method = methods.arcane({ oneClass, blocks: 2, train });
      const prepared = await method.prepare(input());
      const chains = await blocksOf(method.options, data, key(), 3);
      const firstBlocks = chains.reduce((sum, { stages }) => sum + stages[0].length, 0);
      expect(prepared.cost.samplesVisited).toBe(40 * 2 * views + looks * (firstBlocks + 40));
      for (const { stages } of chains)
        for (const [block, ids] of stages.entries()) {
          const [first, second] = stages.map(({ length }, i) => length - (i === block ? 1 : 0));
          const trained = 2 * views * ((block === 0 ? first : 0) + second);
          const looked = looks * ((block === 0 ? first : 0) + first + second);
          const { cost } = await method.forget(prepared, { ids: [ids[0]] });
          expect(cost.samplesVisited).toBe(trained + looked);
        }
    },
  );

  test('every shard and slice of one size: the mean is the closed form', () => {
    // 4 shards of 3 slices of 5, 6 epochs of plain training.
    const ids = (shard: number, slice: number) =>
      Array.from({ length: 5 }, (_, i) => 15 * shard + 5 * slice + i);
    const chains = [0, 1, 2, 3].map((number) => ({
      name: `shards/${number}`,
      number,
      stages: [0, 1, 2].map((slice) => ids(number, slice)),
    }));
    const before = stagesOf(chains, layout(3, 6));
    expect(visitsOf(before)).toBe(6 * 60);
    let sum = 0;
    for (let id = 0; id < 60; id++) {
      const left = chains.map((chain) => ({
        ...chain,
        stages: chain.stages.map((stage) => stage.filter((other) => other !== id)),
      }));
      sum += visitsOf(changed(before, stagesOf(left, layout(3, 6))));
    }
    // e' (D_s (2/3 + 1/(3R)) - 1), the removed sample itself left out.
    expect(sum / 60).toBeCloseTo(6 * (15 * (2 / 3 + 1 / 9) - 1), 9);
  });

  test('dealt by hash: the closed form is that of the papers', () => {
    const plain = { epochs: [1], cumulative: true };
    // One shard of S is redone for one sample; a batch of k reaches 1 - (1 - 1/S)^k of them.
    expect(expectedVisits({ samples: 101, removed: 1, chains: 5 }, plain).removal).toBeCloseTo(20, 9);
    expect(expectedVisits({ samples: 110, removed: 10, chains: 5 }, plain).removal).toBeCloseTo(
      100 * (1 - 0.8 ** 10),
      9,
    );
    // Slices: 2/3 + 1/(3R) of a shard. Blocks that train alone: (B + 1) / (2B) of a class.
    const slices = expectedVisits({ samples: 101, removed: 1, chains: 5 }, layout(4, 10));
    expect(slices.removal).toBeCloseTo(10 * 20 * (2 / 3 + 1 / 12), 9);
    const blocks = { epochs: [3, 3, 3, 3], cumulative: false };
    expect(expectedVisits({ samples: 101, removed: 1, chains: 5 }, blocks)).toEqual({
      preparation: expect.closeTo(303, 9),
      removal: expect.closeTo(3 * 20 * (5 / 8), 9),
    });
  });

  test('5,000 counted requests, one after the other, lie within 3 standard errors', async () => {
    const [size, requests, epochs] = [10_000, 5000, evenEpochs(10, 4)];
    const ids = Int32Array.from({ length: size }, (_, i) => i);
    const { options } = methods.sisa({ shards: 5, slices: 4 });
    const chains = await shardsOf(options, { ids }, key());
    const place = new Map(
      chains.flatMap(({ stages, number }) =>
        stages.flatMap((own, slice) => own.map((id) => [id, { number, slice }] as const)),
      ),
    );
    const left = chains.map(({ stages }) => stages.map(({ length }) => length));
    const order = [...ids];
    const stream = new Stream(3);
    const costs: number[] = [];
    let expected = 0;
    for (let request = 0; request < requests; request++) {
      const at = stream.below(order.length);
      const { number, slice } = place.get(order[at])!;
      order[at] = order[order.length - 1];
      order.pop();
      left[number][slice]--;
      let cost = 0;
      for (let i = slice; i < 4; i++)
        cost += epochs[i] * left[number].slice(0, i + 1).reduce((sum, n) => sum + n, 0);
      costs.push(cost);
      const sizes = { samples: size - request, removed: 1, chains: 5 };
      expected += expectedVisits(sizes, { epochs, cumulative: true }).removal;
    }
    const { mean, error } = meanOf(costs);
    expect(Math.abs(mean - expected / requests)).toBeLessThan(3 * error);
  });

  test.each([true, false])(
    'batches of requests, cumulative %s: within 3 standard errors',
    async (cumulative) => {
      const layout = { unit: 'slice', epochs: [2, 1], cumulative };
      const { options } = methods.sisa({ shards: 3, slices: 2 });
      const ids = Int32Array.from({ length: 24 }, (_, i) => i);
      const costs: number[] = [];
      for (let trial = 0; trial < 200; trial++) {
        const own = lt.random.key(trial);
        const plan = async (from: number) =>
          stagesOf(await shardsOf(options, { ids: ids.subarray(from) }, own), layout);
        costs.push(visitsOf(changed(await plan(0), await plan(4))));
      }
      const { mean, error } = meanOf(costs);
      const { removal } = expectedVisits({ samples: 24, removed: 4, chains: 3 }, layout);
      expect(Math.abs(mean - removal)).toBeLessThan(3 * error);
    },
  );
});

/** Mean and its standard error. */
function meanOf(values: readonly number[]) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
  return { mean, error: Math.sqrt(variance / values.length) };
}

test('selection: the share with the most entropy, by hand', () => {
  // Bytes of four images: one colour, two halves, four quarters, two halves.
  const images = [
    [7, 7, 7, 7],
    [0, 0, 9, 9],
    [1, 2, 3, 4],
    [5, 5, 6, 6],
  ];
  const shape = [2, 2, 1] as const;
  const split = makeSplit({ shape, images: Uint8Array.from(images.flat()), labels: new Int32Array(4) });
  const entropies = images.map((_, position) => imageEntropy(split, position));
  [0, Math.log(2), Math.log(4), Math.log(2)].forEach((nats, i) => {
    expect(entropies[i]).toBeCloseTo(nats, 12);
  });
  expect(mostEntropy(split, [0, 1, 2, 3], 0.5)).toEqual([1, 2]);
  expect(mostEntropy(split, [0, 2, 3], 0.5)).toEqual([2, 3]);
  expect(mostEntropy(split, [3, 0], 1)).toEqual([0, 3]);
});

describe('likely samples', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });

  test('have parts of their own', () => {
    const uniform = [0, 0.3, 0.6, 0.999];
    const parts = (likely: boolean, at: 'first' | 'last') =>
      uniform.map((u) => partOf(u, 5, { likely, count: 2, at }));
    expect(parts(true, 'first')).toEqual([0, 0, 1, 1]);
    expect(parts(false, 'first')).toEqual([2, 2, 3, 4]);
    expect(parts(true, 'last')).toEqual([3, 3, 4, 4]);
    expect(parts(false, 'last')).toEqual([0, 0, 1, 2]);
    expect(uniform.map((u) => partOf(u, 4, null))).toEqual([0, 1, 2, 3]);
  });

  test('which leave a part to the others', async () => {
    const none = { likelihood, likelyShards: 2, likelyBlocks: 2, train };
    const { likelyShards, likelyBlocks, ...rest } = none;
    await expect(methods.sisa({ shards: 2, likelyShards, ...rest }).prepare(input())).rejects.toThrow(
      'sisa: likelyShards: expected fewer than the 2 shards, got 2',
    );
    await expect(methods.arcane({ blocks: 2, likelyBlocks, ...rest }).prepare(input())).rejects.toThrow(
      'arcane: likelyBlocks: expected fewer than the 2 blocks, got 2',
    );
  });

  test('cost a block where they come last', async () => {
    const method = methods.arcane({ blocks: 4, likelihood, train });
    const after = await method.forget(await method.prepare(input()), { ids: [0, 15, 30] });
    // The three are of class 0.
    expect(after.details).toEqual({ statesTrained: 1, chainsHit: 1 });
  });
});

describe('answers', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });

  test.each(kinds)('%s: shares that sum to 1, for a split, bytes and tensors', async (_, make) => {
    const method = make();
    const prepared = await method.prepare(input());
    const shares = await method.predict(prepared, data);
    expect(shares.shape).toEqual([40, 3]);
    for (let i = 0; i < 40; i++) {
      const row = [...shares.subarray(3 * i, 3 * i + 3)];
      expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    }
    expect(await method.predict(prepared, data.images)).toEqual(shares);
    const floats = Float32Array.from(data.images, (byte) => byte / 255);
    const tensor = lt.tensor(floats, { shape: [40, 6, 6, 1] });
    expect(await method.predict(prepared, tensor)).toEqual(shares);
    await expect(method.predict(prepared, tensor.reshape([40, 36, 1, 1]))).rejects.toThrow(
      /images are \[40, 36, 1, 1\]; expected \[6, 6, 1\] each/,
    );
    await expect(method.predict(prepared, new Uint8Array(37))).rejects.toThrow(/images are 37 bytes/);
    expect((await method.predict(prepared, new Uint8Array(0))).length).toBe(0);
  });

  test('of SISA: votes are shares of the networks, by shard size where asked', async () => {
    const options = { shards: 3, slices: 1, train: { ...train, epochs: 20, learningRate: 0.1 } };
    const store = memoryStore();
    const prepared = await methods.sisa(options).prepare({ ...input(), store });
    const votes = await methods.sisa(options).predict(prepared, data);
    for (const share of votes) expect(Math.abs(3 * share - Math.round(3 * share))).toBeLessThan(4e-4);
    const sized = await methods.sisa({ ...options, weights: 'shardSize' }).predict(prepared, data);
    const chains = await shardsOf(methods.sisa(options).options, data, lt.random.key(6));
    const sizes = chains.map(({ stages }) => stages.flat().length / 40);
    const sums = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) =>
      sizes.reduce((sum, size, k) => sum + (bits & (1 << k) ? size : 0), 0),
    );
    for (const share of sized) expect(Math.min(...sums.map((s) => Math.abs(s - share)))).toBeLessThan(2e-4);
  });

  test('of ARCANE: the nearest centre, by the density of distances', async () => {
    const learnt = {
      oneClass: 'svdd',
      blocks: 2,
      train: { ...train, epochs: 10, learningRate: 0.003 },
    } as const;
    const method = methods.arcane(learnt);
    const shares = await method.predict(await method.prepare(input()), data);
    const hits = [...data.labels].filter((label, i) => {
      const row = [...shares.subarray(3 * i, 3 * i + 3)];
      return row.indexOf(Math.max(...row)) === label;
    });
    expect(hits.length / 40).toBeGreaterThan(0.7);
  });

  test('of ARCANE, by hand: distances from the means of features', async () => {
    // At rate 0 the features are those of the first weights, without biases.
    const method = methods.arcane({ oneClass: 'svdd', blocks: 1, train: { epochs: 1, learningRate: 0 } });
    const model = lt.nn.mlp({ classes: 3, hidden: [36] });
    const variables = lt.scope(() => model.init(lt.random.foldIn(lt.random.key(6), 0), [1, 6, 6, 1]));
    const weight = await (variables.params as { fc1: { weight: lt.Tensor } }).fc1.weight.data();
    const features = [...data.labels].map((_, i) =>
      Array.from({ length: 36 }, (_, j) => {
        let sum = 0;
        for (let p = 0; p < 36; p++) sum += (data.images[36 * i + p] / 255) * weight[36 * p + j];
        return Math.max(0, sum);
      }),
    );
    const own = (k: number) => features.filter((_, i) => data.labels[i] === k);
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const scores = [0, 1, 2].map((k) => {
      const centre = features[0].map((_, j) => mean(own(k).map((row) => row[j])));
      const away = (row: readonly number[]) => row.reduce((sum, v, j) => sum + (v - centre[j]) ** 2, 0);
      const scale = mean(own(k).map(away));
      return features.map((row) => away(row) / scale + Math.log(scale));
    });
    const shares = await method.predict(await method.prepare({ ...input(), model }), data);
    for (let i = 0; i < data.size; i++) {
      const parts = scores.map((of) => Math.exp(-of[i]));
      for (let k = 0; k < 3; k++)
        expect(shares[3 * i + k]).toBeCloseTo(parts[k] / parts.reduce((a, b) => a + b), 4);
    }
  });
});
