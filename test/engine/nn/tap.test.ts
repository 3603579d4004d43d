// What a tap is told of a network, and what it changes: as it is, and inside jit, grad and vmap.
import { beforeAll, expect, test } from 'vitest';
import type { Tensor } from '../../../engine/tensor.ts';
import * as lt from '../../../index.ts';

const { nn } = lt;

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const layer = (name: string, f: (x: Tensor) => Tensor): lt.nn.Layer => ({
  name,
  init: () => ({ params: {}, state: {} }),
  apply: ({ state }, x) => ({ output: f(x), state }),
});
const twice = layer('twice', (x) => x.mul(2));
const plus = layer('plus', (x) => x.add(1));
/** f(x) = (2 (2 x + 1) + 1 + 3 (2 x + 1))^2 = (5 (2 x + 1) + 1)^2. */
const net = nn.sequential({
  body: nn.sequential([twice, plus]),
  block: nn.residual(
    { twice, plus },
    { shortcut: nn.sequential([layer('thrice', (x) => x.mul(3))]), activation: (sum) => sum.mul(sum) },
  ),
});
const nothing = { params: {}, state: {} };
const put = (path: string, value: (output: Tensor) => Tensor) => ({
  tap: (at: string, output: Tensor) => (at === path ? value(output) : undefined),
});
const valuesOf = async (tensor: Tensor) => [...(await tensor.data())];

test('is told every output once, parts before the whole, by path', async () => {
  const seen: [string, Tensor][] = [];
  const tap = (path: string, output: Tensor) => {
    seen.push([path, output]);
    return undefined;
  };
  const { output } = net.apply(nothing, lt.tensor([1, 2]), { tap });
  const told = await Promise.all(seen.map(async ([path, value]) => [path, await valuesOf(value)]));
  expect(told).toEqual([
    ['body.0', [2, 4]],
    ['body.1', [3, 5]],
    ['body', [3, 5]],
    ['block.twice', [6, 10]],
    ['block.plus', [7, 11]],
    ['block.downsample.0', [9, 15]],
    ['block.downsample', [9, 15]],
    ['block', [256, 676]],
  ]);
  expect(await valuesOf(output)).toEqual([256, 676]);
});

// At x = 1, each output replaced by ten times itself.
test.each<[string, number]>([
  ['body.0', (5 * 21 + 1) ** 2],
  ['body.1', (5 * 30 + 1) ** 2],
  ['body', (5 * 30 + 1) ** 2],
  ['block.twice', (61 + 9) ** 2],
  ['block.plus', (70 + 9) ** 2],
  ['block.downsample.0', (7 + 90) ** 2],
  ['block.downsample', (7 + 90) ** 2],
  ['block', 2560],
  ['nowhere', 256],
])('what it returns takes the place of the output of %s', async (path, expected) => {
  const given = put(path, (output) => output.mul(10));
  expect(await valuesOf(net.apply(nothing, lt.tensor([1]), given).output)).toEqual([expected]);
});

test('works inside jit, grad and vmap', async () => {
  const shifted = (x: Tensor, shift: Tensor) =>
    net.apply(
      nothing,
      x,
      put('block.plus', (output) => output.add(shift)),
    ).output;
  const x = lt.tensor([1, 2]);
  const shift = lt.tensor([0.5, -1]);
  // (7 + 0.5 + 9)^2 and (11 - 1 + 15)^2; the derivatives by the shift are twice the roots.
  const compiled = lt.jit(shifted);
  expect(await valuesOf(compiled(x, shift))).toEqual([16.5 ** 2, 25 ** 2]);
  expect(await valuesOf(lt.vmap(shifted)(x, shift))).toEqual([16.5 ** 2, 25 ** 2]);
  const gradient = lt.jit(lt.grad((s: Tensor) => shifted(x, s).sum()));
  expect(await valuesOf(gradient(shift))).toEqual([33, 50]);
  compiled.dispose();
  gradient.dispose();
});

test('what goes wrong inside a tap is said with the path', () => {
  const given = put('block.plus', (output) => output.add(lt.zeros([3])));
  expect(() => net.apply(nothing, lt.tensor([1, 2]), given)).toThrow(/^block\.plus: /);
});

test('knows the layers of a classifier, and leaves its answers as they are', async () => {
  const model = nn.resnet18({ classes: 3 });
  const images = new lt.ShapeOf([1, 8, 8, 3], 'float64');
  const shapes: Record<string, readonly number[]> = {};
  const tap = (path: string, { shape }: Tensor) => {
    shapes[path] = shape;
    return undefined;
  };
  lt.evalShape(
    (image: Tensor) => model.apply(model.init(lt.random.key(0), image.shape), image, { tap }).output,
    images,
  );
  expect(shapes['layer1.0.conv1']).toEqual([1, 8, 8, 64]);
  expect(shapes['layer2.0.downsample.1']).toEqual([1, 4, 4, 128]);
  expect(shapes['layer4.1']).toEqual([1, 1, 1, 512]);
  expect(shapes.pool).toEqual([1, 512]);
  expect(Object.keys(shapes).at(-1)).toBe('fc');
});
