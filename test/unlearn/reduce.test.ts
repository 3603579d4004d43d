// A function over all samples of a set: sums on the device, rows on the host, for any batch size.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { takeSplit } from '../../unlearn/data/split.ts';
import { reduceOver, reduction } from '../../unlearn/reduce.ts';
import { disposeAll, stripes, tinyCnn } from './problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const split = stripes(23);

describe('sums', () => {
  test('are over every sample once, whatever the batch size', async () => {
    const each = Array.from({ length: 3 }, (_, k) => split.labels.filter((y) => y === k).length);
    for (const batchSize of [1, 5, 23, 100]) {
      const found = await reduceOver(split, ({ labels }) => lt.oneHot(labels, 3).sum([0]), { batchSize });
      expect(await found.array()).toEqual(each);
      found.dispose();
    }
  });
  test('the gradient of a whole set is that of one large batch, in trees too', async () => {
    const model = tinyCnn();
    const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
    const loss = (params: lt.nn.Variables['params'], images: lt.Tensor, labels: lt.Tensor) =>
      lt.crossEntropy(model.apply({ ...variables, params }, images).output, labels, { reduction: 'sum' });
    const grads = async (batchSize: number) => {
      const found = await reduceOver(
        split,
        ({ images, labels }) =>
          lt.grad((p: lt.nn.Variables['params']) => loss(p, images, labels))(variables.params),
        { batchSize },
      );
      return Promise.all(lt.tree.entries<lt.Tensor>(found).map(async ([, t]) => [...(await t.data())]));
    };
    const [whole, parts] = [await grads(23), await grads(4)];
    whole.flat().forEach((v, i) => expect(Math.abs(v - parts.flat()[i])).toBeLessThan(1e-6));
    disposeAll(variables);
  });
  test('an empty set is refused, and an abort leaves nothing', async () => {
    await expect(reduceOver(takeSplit(split, []), ({ images }) => images.sum())).rejects.toThrow(
      /no samples/,
    );
    const stop = new AbortController();
    const onBatch = () => stop.abort();
    const work = () =>
      expect(
        reduceOver(split, ({ images }) => images.sum(), { batchSize: 5, signal: stop.signal, onBatch }),
      ).rejects.toMatchObject({ name: 'AbortError' });
    expect(await lt.findLeaks(work)).toEqual([]);
  });
});

describe('rows', () => {
  test('are in the order of the set, for a tree of results, arguments differing from call to call', async () => {
    const twice = reduction(({ images, labels }, factor: lt.Tensor) => ({
      label: labels,
      pixels: images.reshape([labels.size, 36]).mul(factor),
    }));
    const done: number[] = [];
    for (const factor of [255, 510]) {
      const { label, pixels } = await twice.rows(split, [lt.tensor(factor)], {
        batchSize: 7,
        onBatch: (n) => done.push(n),
      });
      expect([...label.data]).toEqual([...split.labels]);
      expect(pixels.shape).toEqual([23, 36]);
      const expected = Array.from(split.images, (v) => (v * factor) / 255);
      pixels.data.forEach((v: number, i: number) => expect(Math.abs(v - expected[i])).toBeLessThan(1e-4));
    }
    expect(done).toEqual([7, 14, 21, 23, 7, 14, 21, 23]);
    twice.dispose();
  });
  test('what has no row for each sample is refused', async () => {
    const wrong = reduction(({ images }) => images.sum());
    await expect(wrong.rows(split, [])).rejects.toThrow(/expected a row for each sample/);
    wrong.dispose();
  });
});
