// ARCANE's one-class models: rotations by hand, what they say of an image in closed form, and what batch normalisation does to
// Deep SVDD. That removals are exact, and what they cost, is tested in exact.test.ts.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { getTree } from '../../../unlearn/artifact.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { rotated, surprise } from '../../../unlearn/methods/rotations.ts';
import { Stream } from '../../../unlearn/random.ts';
import { stripes, tinyCnn } from '../problems.ts';
import { without } from './kit.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const key = () => lt.random.key(6);

test('images rotated by quarters and by halves, by hand', async () => {
  // Two images of 2 x 2 with two channels, the second of which is ten times the first.
  const pixels = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ];
  const tensor = (images: readonly (readonly number[])[], shape: number[]) =>
    lt.tensor(Float32Array.from(images.flat().flatMap((v) => [v, 10 * v])), { shape });
  const wanted = [
    pixels,
    [
      [2, 4, 1, 3],
      [6, 8, 5, 7],
    ],
    [
      [4, 3, 2, 1],
      [8, 7, 6, 5],
    ],
    [
      [3, 1, 4, 2],
      [7, 5, 8, 6],
    ],
  ];
  const quarters = rotated(tensor(pixels, [2, 2, 2, 2]), 4);
  expect(quarters.shape).toEqual([8, 2, 2, 2]);
  expect([...(await quarters.data())]).toEqual([...(await tensor(wanted.flat(), [8, 2, 2, 2]).data())]);
  // 2 x 3: rows 1 2 3 and 4 5 6.
  const halves = rotated(tensor([[1, 2, 3, 4, 5, 6]], [1, 2, 3, 2]), 2);
  const both = [
    [1, 2, 3, 4, 5, 6],
    [6, 5, 4, 3, 2, 1],
  ];
  expect(halves.shape).toEqual([2, 2, 3, 2]);
  expect([...(await halves.data())]).toEqual([...(await tensor(both, [2, 2, 3, 2]).data())]);
});

test('-ln p of the right rotation, in closed form', async () => {
  // Two rotations of three images: the first all rotated by 0, then all by 1.
  const logits = lt.tensor([
    [0, 0],
    [Math.log(3), 0],
    [0, 40],
    [0, 0],
    [Math.log(3), 0],
    [0, 40],
  ]);
  const found = await surprise(logits).data();
  const wanted = [Math.log(2), Math.log(4 / 3), 40, Math.log(2), Math.log(4), 0];
  for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 5);
});

/** Images of this size: those of class k have a bright row, the k-th, and noise elsewhere. */
function rows(size: number, [height, width]: readonly [number, number]) {
  const stream = new Stream(4);
  const labels = Int32Array.from({ length: size }, (_, i) => i % 2);
  const images = new Uint8Array(size * height * width);
  for (let i = 0; i < images.length; i++) {
    const row = Math.floor(i / width) % height;
    images[i] = stream.below(60) + (row === labels[Math.floor(i / (height * width))] ? 150 : 0);
  }
  return makeSplit({ shape: [height, width, 1], images, labels });
}

describe.each([
  { size: [4, 4], rotations: 4 },
  { size: [4, 3], rotations: 2 },
] as const)('images of $size', ({ size: [height, width], rotations }) => {
  const data = rows(24, [height, width]);
  const model = lt.nn.mlp({ classes: 2, hidden: [] });
  const epochs = 30;
  const options = { blocks: 2, train: { epochs, batchSize: 8, learningRate: 0.03 } };

  test('shares follow from the likelihood of the rotations, by hand', async () => {
    const method = methods.arcane(options);
    const prepared = await method.prepare({ model, data, key: key() });
    // The model is linear: logits = pixels weight + bias.
    const foreign = await Promise.all(
      [0, 1].map(async (k) => {
        const tree = await getTree<{ params: { fc1: { weight: lt.Tensor; bias: lt.Tensor } } }>(
          prepared.artifact,
          `classes/${k}/block-1`,
        );
        const { weight, bias } = tree.params.fc1;
        expect(weight.shape).toEqual([height * width, rotations]);
        const [w, b] = [await weight.data(), await bias.data()];
        return (i: number) => {
          let sum = 0;
          for (let r = 0; r < rotations; r++) {
            const logits = Array.from(b);
            for (let y = 0; y < height; y++)
              for (let x = 0; x < width; x++) {
                // Where the pixel at (y, x) of the rotated image was before.
                let [fromY, fromX] = [y, x];
                if (rotations === 2 && r === 1) [fromY, fromX] = [height - 1 - y, width - 1 - x];
                else for (let turn = 0; turn < r; turn++) [fromY, fromX] = [fromX, width - 1 - fromY];
                const pixel = data.images[(i * height + fromY) * width + fromX] / 255;
                for (let c = 0; c < rotations; c++) logits[c] += pixel * w[(y * width + x) * rotations + c];
              }
            sum += Math.log(logits.reduce((all, z) => all + Math.exp(z), 0)) - logits[r];
          }
          return sum;
        };
      }),
    );
    const shares = await method.predict(prepared, data);
    let hits = 0;
    for (let i = 0; i < data.size; i++) {
      const [a, b] = foreign.map((of) => Math.exp(-of(i)));
      expect(shares[2 * i]).toBeCloseTo(a / (a + b), 4);
      if (shares[2 * i + data.labels[i]] > 0.5) hits++;
    }
    expect(hits / data.size).toBeGreaterThan(0.9);
  });

  test('a sample counts once for each rotation, and a removal is exact', async () => {
    const method = methods.arcane({ ...options, train: { ...options.train, epochs: 2 } });
    const prepared = await method.prepare({ model, data, key: key() });
    expect(prepared.cost.samplesVisited).toBe(rotations * 2 * 24);
    const after = await method.forget(prepared, { ids: [5] });
    const anew = await method.prepare({ model, data: without(data, [5]), key: key() });
    expect(method.digest(after)).toBe(method.digest(anew));
    expect(after.cost.samplesVisited % (rotations * 2)).toBe(0);
  });
});

test('Deep SVDD trains with the statistics that it measures distances with, and moves nothing but weights', async () => {
  const data = stripes(30);
  const method = methods.arcane({ oneClass: 'svdd', blocks: 1, train: { epochs: 2, batchSize: 5 } });
  const { artifact } = await method.prepare({ model: tinyCnn(), data, key: key() });
  type State = Record<'params' | 'state', { bn: Record<string, lt.Tensor> }>;
  for (const k of [0, 1, 2]) {
    const { params, state } = await getTree<State>(artifact, `classes/${k}/block-0`);
    expect([...(await state.bn.mean.data())]).toEqual([0, 0, 0, 0]);
    expect([...(await state.bn.variance.data())]).toEqual([1, 1, 1, 1]);
    expect([...(await params.bn.bias.data())]).toEqual([0, 0, 0, 0]);
    expect([...(await params.bn.weight.data())]).not.toEqual([1, 1, 1, 1]);
  }
});
