// The layers inside a network, and what they compute on a set, beside the same layers put together by hand.
import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { networkSubject } from '../../unlearn/audits/subject.ts';
import { layerFeatures, layersOf } from '../../unlearn/layers.ts';
import { disposeAll, stripes, tinyCnn } from './problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const split = stripes(7);

test('layers come in order, with the shape of one sample', () => {
  const model = lt.nn.allCnn({ classes: 4 });
  const variables = model.init(lt.random.key(0), [1, 8, 8, 1]);
  const layers = layersOf({ model, variables }, [8, 8, 1]);
  expect(layers.slice(0, 4)).toEqual([
    { path: 'features.0.0', shape: [8, 8, 48] },
    { path: 'features.0.1', shape: [8, 8, 48] },
    { path: 'features.0.2', shape: [8, 8, 48] },
    { path: 'features.0', shape: [8, 8, 48] },
  ]);
  expect(layers.slice(-4)).toEqual([
    { path: 'features', shape: [2, 2, 96] },
    { path: 'pool', shape: [96] },
    { path: 'classifier.0', shape: [4] },
    { path: 'classifier', shape: [4] },
  ]);
  disposeAll(variables);
});

test('outputs are those of the layers one by one, images averaged over pixels, whatever the batch', async () => {
  const model = tinyCnn();
  const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
  const network = { model, variables };
  const found = await layerFeatures(network, split, ['conv', 'flatten', 'fc'], { batchSize: 3 });
  const images = lt.tensor(
    Float32Array.from(split.images, (byte) => byte / 255),
    { shape: [7, 6, 6, 1] },
  );
  const { conv } = variables.params as { conv: { weight: lt.Tensor } };
  const plain = lt.conv2d(images, conv.weight, { padding: 1 });
  const values = (await plain.data()) as Float32Array;
  expect(found.conv.width).toBe(4);
  for (let i = 0; i < 7; i++)
    for (let k = 0; k < 4; k++) {
      let sum = 0;
      for (let p = 0; p < 36; p++) sum += values[(36 * i + p) * 4 + k];
      expect(found.conv.values[4 * i + k]).toBeCloseTo(sum / 36, 5);
    }
  expect(found.flatten.width).toBe(36);
  const subject = networkSubject('it', network);
  const { values: features } = await subject.features(split);
  features.forEach((value, i) => expect(found.flatten.values[i]).toBeCloseTo(value, 5));
  const { logits } = await subject.answers(split);
  expect([...found.fc.values]).toEqual([...logits]);
  expect(found.fc.labels).toBe(split.labels);
  disposeAll(variables);
});

test('a layer that is not there is named, with those that are; nothing is left', async () => {
  const model = tinyCnn();
  const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
  await expect(layerFeatures({ model, variables }, split, ['conv2'])).rejects.toThrow(
    "layerFeatures: the network has no layer 'conv2', expected one of conv, bn, relu, pool, flatten, drop, fc",
  );
  const leaks = await lt.findLeaks(async () => {
    await layerFeatures({ model, variables }, split, ['bn', 'fc'], { batchSize: 4 });
  });
  expect(leaks).toEqual([]);
  disposeAll(variables);
});
