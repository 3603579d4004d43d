// Which weights a mask holds, by sorting; that it acts on all that an update can do; ranks on every device.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import * as lt from '../../../index.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { Stream } from '../../../unlearn/random.ts';
import { randomMask, saliencyMask } from '../../../unlearn/train/mask.ts';
import { kthSmallest, largest } from '../../../unlearn/train/select.ts';
import { tune } from '../../../unlearn/train/tune.ts';
import { softThreshold } from '../../../unlearn/train/update.ts';
import type { Split } from '../../../unlearn/types.ts';
import { cut, disposeAll, MemoryStore, stripes, tinyCnn, tinyMlp, valuesOf } from '../problems.ts';

const absent = inject('absent');

/** Numbers with ties, zeros of both signs, and sizes far apart. */
function awkward(stream: Stream, size: number): number[] {
  const kinds = [
    () => 0,
    () => -0,
    () => stream.below(3) - 1,
    () => stream.between(-1, 1),
    () => stream.between(-1, 1) * 2 ** (stream.below(200) - 100),
    () => 2 ** -140,
  ];
  return Array.from({ length: size }, () => kinds[stream.below(kinds.length)]());
}

/** Positions of the `count` largest in absolute value, by a stable sort. */
const bySorting = (values: readonly number[], count: number): Set<number> =>
  new Set([...values.keys()].sort((i, j) => Math.abs(values[j]) - Math.abs(values[i])).slice(0, count));

describe('the largest of many numbers', () => {
  test.each([Float32Array, Float64Array])('are those of a stable sort: %o', (Kind) => {
    const stream = new Stream(4);
    for (let round = 0; round < 40; round++) {
      const arrays = Array.from({ length: 1 + stream.below(4) }, () =>
        Kind.from(awkward(stream, stream.below(30))),
      );
      const all = arrays.flatMap((array) => [...array]);
      for (const count of [0, stream.below(all.length + 1), all.length]) {
        const marks = largest(arrays, count);
        expect(marks.map(({ length }) => length)).toEqual(arrays.map(({ length }) => length));
        const chosen = bySorting(all, count);
        expect(marks.flatMap((m) => [...m])).toEqual(all.map((_, i) => Number(chosen.has(i))));
      }
    }
  });
});

describe.each([
  ['reference', 'float32'],
  ['reference', 'float64'],
  ['cpu', 'float32'],
  ['webgpu', 'float32'],
] as const)('the k-th smallest on %s in %s', (device, dtype) => {
  test.skipIf(device !== 'reference' && absent[device] !== null)(
    'is that of a sort, to the bit',
    async () => {
      await lt.init({ device, dtype });
      const find = lt.jit((values: lt.Tensor, k: lt.Tensor) => kthSmallest(values, k), {
        name: 'k-th smallest',
      });
      const stream = new Stream(9);
      const Kind = dtype === 'float64' ? Float64Array : Float32Array;
      // Below the smallest normal number devices differ, and so would the sort.
      const normal = (x: number) => (Math.abs(x) < 2 ** -126 ? 0 : Math.abs(x));
      for (let round = 0; round < 8; round++) {
        const values = Kind.from(awkward(stream, 50).map(normal));
        const sorted = values.toSorted();
        for (const k of [0, 1, 25, 1 + stream.below(49), 50]) {
          const found = lt.scope(() => find(lt.tensor(values), lt.full([], k, 'int32')));
          expect(await found.item()).toBe(k === 0 ? 0 : sorted[k - 1]);
          found.dispose();
        }
      }
      find.dispose();
    },
  );
});

describe('the saliency mask', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference', dtype: 'float64' });
  });
  afterAll(async () => {
    await lt.init({ device: 'reference' });
  });
  const model = lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(3) });
  const forget = takeSplit(stripes(60), [1, 3, 4, 7, 8, 10, 11]);

  /** Gradients of the cross-entropies of softmax regression, one for each sample: bias, then weight, as in the tree. */
  async function gradients(variables: lt.nn.Variables, { images, labels, size }: Split): Promise<number[][]> {
    const values = await valuesOf(variables);
    const [weight, bias] = [values['params.fc.weight'], values['params.fc.bias']];
    return Array.from({ length: size }, (_, n) => {
      const x = Array.from(images.subarray(36 * n, 36 * n + 36), (v) => Math.fround(v / 255));
      const logits = bias.map((b, k) => b + x.reduce((sum, v, i) => sum + v * weight[3 * i + k], 0));
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      const apart = logits.map((z, k) => Math.exp(z) / total - Number(k === labels[n]));
      return [...apart, ...x.flatMap((v) => apart.map((a) => a * v))];
    });
  }

  test('is of the absolute values of the sums, over all weights at once', async () => {
    const variables = model.init(lt.random.key(3), [1, 6, 6, 1]);
    const each = await gradients(variables, forget);
    const added = (of: (g: number) => number) =>
      each[0].map((_, i) => each.reduce((sum, g) => sum + of(g[i]), 0));
    const marks = (set: Set<number>) => each[0].map((_, i) => Number(set.has(i)));
    for (const density of [0, 0.1, 0.5, 0.77, 1]) {
      const mask = await saliencyMask({ model, variables, forget, density, batchSize: 3 });
      const values = Object.values(await valuesOf({ params: mask, state: {} })).flat();
      const count = Math.floor(density * 111);
      expect(values).toEqual(
        marks(
          bySorting(
            added((g) => g),
            count,
          ),
        ),
      );
      if (density === 0.5) expect(values).not.toEqual(marks(bySorting(added(Math.abs), count)));
    }
  });

  test('sees the network as it evaluates: batches, dropout and statistics make no difference, and nothing is left', async () => {
    const cnn = tinyCnn();
    const variables = cnn.init(lt.random.key(3), [1, 6, 6, 1]);
    const before = await valuesOf(variables);
    const masks: Record<string, number[]>[] = [];
    for (const batchSize of [2, 256]) {
      const leaks = await lt.findLeaks(async () => {
        const mask = await saliencyMask({ model: cnn, variables, forget, density: 0.4, batchSize });
        masks.push(await valuesOf({ params: mask, state: {} }));
        return mask;
      });
      expect(leaks).toEqual([]);
    }
    expect(masks[0]).toEqual(masks[1]);
    expect(await valuesOf(variables)).toEqual(before);
  });

  test('density, set and gradients are checked', async () => {
    const variables = model.init(lt.random.key(3), [1, 6, 6, 1]);
    const input = { model, variables, forget, density: 0.5 };
    await expect(saliencyMask({ ...input, density: 1.2 })).rejects.toThrow(
      'saliencyMask: density is 1.2, expected a share from 0 to 1',
    );
    const nothing = takeSplit(forget, []);
    await expect(saliencyMask({ ...input, forget: nothing })).rejects.toThrow(/no samples/);
    const broken = {
      ...variables,
      params: lt.tree.map((t: lt.Tensor) => t.mul(Number.NaN), variables.params),
    };
    await expect(saliencyMask({ ...input, variables: broken as never })).rejects.toThrow(
      'saliencyMask: the gradient of fc.bias is not finite',
    );
    await expect(saliencyMask({ ...input, signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('on float32', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });
  const { forget, retain } = cut(stripes(36), 1);
  const bits = async (tree: lt.nn.Variables['params']) =>
    Object.values(await valuesOf({ params: tree, state: {} })).flat();

  test('a random mask is as dense, and a function of the key', async () => {
    const variables = tinyMlp().init(lt.random.key(1), [1, 6, 6, 1]);
    const make = async (key: number, density = 0.3) =>
      bits(await randomMask({ variables, density, key: lt.random.key(key) }));
    const [one, again, other] = [await make(5), await make(5), await make(6)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    const count = (marks: number[]) => marks.reduce((a, b) => a + b);
    for (const marks of [one, other]) expect(count(marks)).toBe(Math.floor(0.3 * marks.length));
    expect(count(await make(5, 0))).toBe(0);
    expect(count(await make(5, 1))).toBe(one.length);
    await expect(make(5, -1)).rejects.toThrow('randomMask: density is -1');
  });

  test('a mask is saved and loaded as any tensors are', async () => {
    const model = tinyCnn();
    const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
    const mask = await saliencyMask({ model, variables, forget, density: 0.5 });
    const file = await lt.io.saveSafetensors(Object.fromEntries(lt.tree.entries<lt.Tensor>(mask)));
    const { tensors } = lt.io.loadSafetensors(file);
    const loaded = Object.fromEntries(
      Object.entries(tensors).map(([path, stored]) => [path, lt.tensor(stored.data, stored)]),
    );
    for (const [path, tensor] of lt.tree.entries<lt.Tensor>(mask)) {
      expect(loaded[path].dtype).toBe('bool');
      expect(await loaded[path].array()).toEqual(await tensor.array());
    }
  });

  const settings = { epochs: 2, batchSize: 6, learningRate: 0.05, momentum: 0.9, weightDecay: 0.1 };
  test.each([
    ['sgd', {}],
    ['adam', {}],
    ['adamw', {}],
    ['sgd', { precision: 'mixed' }],
    ['adam', { precision: 'mixed' }],
  ] as const)(
    'what it hides keeps its bits under %s with %o, decay and a proximal step',
    async (optimizer, more) => {
      const model = tinyMlp();
      const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
      const mask = await randomMask({ variables, density: 0.4, key: lt.random.key(7) });
      const passes = [{ name: 'all', sets: { all: { set: retain } } }];
      const { variables: after } = await tune({ ...settings, optimizer, ...more }, lt.random.key(2), {
        name: 'test',
        model,
        variables,
        passes,
        mask,
        update: softThreshold(1e-3),
      });
      const [was, is, free] = [await bits(variables.params), await bits(after.params), await bits(mask)];
      expect(is.map((v, i) => (free[i] ? was[i] : v))).toEqual(was);
      expect(free.filter((f, i) => f === 1 && was[i] !== is[i]).length).toBeGreaterThan(100);
    },
  );

  test("the input's mask takes the place of the option's; it is checked, named in checkpoints, and refused where there is none", async () => {
    const model = tinyMlp();
    const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
    const [mask, other] = [
      await randomMask({ variables, density: 0.25, key: lt.random.key(7) }),
      await randomMask({ variables, density: 0.25, key: lt.random.key(8) }),
    ];
    const input = { model, variables, forget, retain, key: lt.random.key(2), mask };
    const method = methods.finetune({ epochs: 1, batchSize: 12, mask: 'saliency' });
    const store = new MemoryStore();
    const given = await method.unlearn({ ...input, checkpoint: store });
    const total = (await bits(mask)).length;
    expect(given.details.maskDensity).toBe(Math.floor(0.25 * total) / total);
    expect(given.cost.samplesVisited).toBe(retain.size);
    const made = await method.unlearn({ ...input, mask: undefined });
    expect(made.cost.samplesVisited).toBe(retain.size + forget.size);
    expect(made.details.maskDensity).toBe(Math.floor(0.5 * total) / total);
    const plain = await methods.finetune({ epochs: 1, batchSize: 12 }).unlearn({ ...input, mask: undefined });
    expect(plain.details).not.toHaveProperty('maskDensity');

    const stop = new AbortController();
    const two = methods.finetune({ epochs: 2, batchSize: 12 });
    const checkpoint = new MemoryStore();
    checkpoint.onSave = () => stop.abort();
    await two
      .unlearn({ ...input, checkpoint, signal: stop.signal })
      .catch((error) => expect(error).toMatchObject({ name: 'AbortError' }));
    expect(checkpoint.saved.length).toBeGreaterThan(0);
    await expect(two.unlearn({ ...input, mask: other, checkpoint })).rejects.toMatchObject({ kind: 'state' });

    await expect(methods.retrain({ epochs: 1 }).unlearn(input)).rejects.toThrow('retrain: takes no mask');
    const wide = tinyMlp().init(lt.random.key(1), [1, 6, 7, 1]).params;
    await expect(method.unlearn({ ...input, mask: wide })).rejects.toMatchObject({ kind: 'shape' });
    await expect(method.unlearn({ ...input, mask: variables.params })).rejects.toThrow(
      /finetune: .* of the mask is float32, expected bool/,
    );
    for (const result of [given, made, plain]) disposeAll(result.variables);
  });

  test.each([
    ['puma', () => methods.puma({ bound: 10, iterations: 2 })],
    ['ssd', () => methods.ssd({ alpha: 0 })],
    ['fisher', () => methods.fisher({ variant: 'batch' })],
  ])('%s moves what the mask lets move, to where it goes without one, and nothing else', async (_, make) => {
    const model = tinyMlp();
    const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
    const mask = await randomMask({ variables, density: 0.5, key: lt.random.key(7) });
    const input = { model, variables, forget, retain, key: lt.random.key(2) };
    const [free, held] = [await make().unlearn(input), await make().unlearn({ ...input, mask })];
    const [was, went, is, marks] = await Promise.all(
      [variables.params, free.variables.params, held.variables.params, mask].map(bits),
    );
    expect(is).toEqual(was.map((v, i) => (marks[i] ? went[i] : v)));
    expect(was.some((v, i) => marks[i] && is[i] !== v)).toBe(true);
    for (const result of [free, held]) disposeAll(result.variables);
  });

  test('certified refuses every mask, and says why', async () => {
    const why = 'expected none: the certificate is of noise on every weight';
    expect(() => methods.certified({ mask: 'saliency' } as object)).toThrow(`certified: mask: ${why}`);
    const model = tinyMlp();
    const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
    const input = { model, variables, forget, retain, key: lt.random.key(2) };
    const mask = await randomMask({ variables, density: 0.5, key: lt.random.key(7) });
    const asked = methods.certified().unlearn({ ...input, mask });
    await expect(asked).rejects.toThrow(`certified: takes no mask; ${why}`);
    expect(methods.certified({ mask: 'none' }).options.mask).toBe('none');
  });
});
