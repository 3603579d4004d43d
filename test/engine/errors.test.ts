// What the engine says when it is asked for the impossible: the operation, what it found, what would have fitted.

import { beforeAll, expect, test } from 'vitest';
import { describe } from '../../engine/error.ts';
import * as lt from '../../index.ts';

beforeAll(() => lt.init({ device: 'reference' }));
const z = (...shape: number[]) => lt.zeros(shape);
const whole = (data: number[]) => lt.tensor(data, { dtype: 'int32' });

const lenet = () => lt.nn.lenet({ classes: 10 }).init(lt.random.key(0), [1, 28, 28, 1]);

test.each<[string, () => unknown, string | RegExp]>([
  [
    'add',
    () => lt.add(z(2, 3), z(4)),
    'add: shapes [2, 3] and [4] do not broadcast; sizes must be equal or 1, counted from the last axis',
  ],
  [
    'matmul',
    () => lt.matmul(z(2, 3), z(4, 5)),
    'matmul: float32[2, 3] x float32[4, 5]: inner sizes 3 and 4 differ',
  ],
  [
    'matmul, transposed',
    () => lt.matmul(z(2, 3), z(3, 5), { transposeB: true }),
    'matmul: float32[2, 3] x float32[3, 5] (transposed): inner sizes 3 and 5 differ',
  ],
  [
    'conv2d',
    () => lt.conv2d(z(1, 4, 4, 3), z(3, 3, 2, 8)),
    'conv2d: needs images [N, H, W, C] and weights [kh, kw, C / groups, O], got float32[1, 4, 4, 3] and float32[3, 3, 2, 8] with groups 1',
  ],
  [
    'conv2d rank',
    () => lt.conv2d(z(4, 4, 3), z(3, 3, 3, 8)),
    'conv2d: needs images [N, H, W, C] and weights [kh, kw, C / groups, O], got float32[4, 4, 3] and float32[3, 3, 3, 8] with groups 1',
  ],
  ['reshape', () => lt.reshape(z(2, 3), [4, 2]), 'reshape: float32[2, 3] has 6 elements, [4, 2] has 8'],
  ['reshape -1', () => lt.reshape(z(2, 3), [4, -1]), 'reshape: float32[2, 3] does not fit [4, -1]'],
  ['shape', () => lt.zeros([2, -1]), 'full: [2, -1] is no shape; sizes must be whole numbers from 0'],
  [
    'tensor shape',
    () => lt.tensor(new Float32Array(6), { shape: [-2, -3] }),
    'tensor: [-2, -3] is no shape; sizes must be whole numbers from 0',
  ],
  [
    'tensor of a transferred array',
    () => {
      const data = new Float32Array(3);
      structuredClone(data.buffer, { transfer: [data.buffer] });
      return lt.tensor(data);
    },
    'tensor: the typed array has lost its memory: its buffer was transferred, or shrunk below its end',
  ],
  [
    'tensor of bigints',
    () => lt.tensor(new BigInt64Array(2) as never),
    'tensor: expected a typed array of numbers, got a BigInt64Array',
  ],
  [
    'tensor of a DataView',
    () => lt.tensor(new DataView(new ArrayBuffer(8)) as never),
    'tensor: expected a typed array of numbers, got a DataView',
  ],
  [
    'ragged',
    () => lt.tensor([[1, 2], [3]]),
    'tensor: rows must have equal length; axis 1 is 2 long, found 1',
  ],
  ['axis', () => lt.sum(z(2, 3), 2), 'sum: axis 2 does not exist; the operand has 2 axes'],
  ['axis twice', () => lt.sum(z(2, 3), [1, -1]), 'sum: axes [1, 1] name one axis twice'],
  ['empty argmax', () => lt.argmax(z(2, 0)), 'argmax: axis 1 of float32[2, 0] is empty'],
  [
    'take',
    () => lt.take(z(3), z(2)),
    "take: indices must be int32, got float32[2]; make them with tensor(list, { dtype: 'int32' })",
  ],
  [
    'slice',
    () => lt.slice(z(3), [2], [2]),
    'slice: begin [2], size [2], strides [1] do not lie inside float32[3]',
  ],
  [
    'slice as large as the operand',
    () => lt.slice(z(2), [1], [2]),
    'slice: begin [1], size [2], strides [1] do not lie inside float32[2]',
  ],
  [
    'slice as large as the operand, with steps',
    () => lt.slice(z(2), [0], [2], [2]),
    'slice: begin [0], size [2], strides [2] do not lie inside float32[2]',
  ],
  [
    'layerNorm over no axes',
    () => lt.layerNorm(z(2, 3), { axes: 0 }),
    'layerNorm: axes is 0, expected a whole number from 1 to 2 for float32[2, 3]',
  ],
  [
    'layerNorm over more axes than there are',
    () => lt.layerNorm(z(2, 3), { axes: 3 }),
    'layerNorm: axes is 3, expected a whole number from 1 to 2 for float32[2, 3]',
  ],
  [
    'concat',
    () => lt.concat([z(2, 3), z(2, 4)]),
    'concat: float32[2, 4] does not fit float32[2, 3] off axis 0',
  ],
  [
    'pool',
    () => lt.maxPool2d(z(1, 4, 4, 1), { size: 2, padding: 2 }),
    'maxPool: padding [[2,2],[2,2]] must be smaller than the window 2x2, or a window would hold nothing but padding',
  ],
  [
    'crossEntropy',
    () => lt.crossEntropy(z(4, 10), whole([1, 2])),
    'crossEntropy: labels int32[2] must have shape [4] for logits float32[4, 10]',
  ],
  [
    'grad of a vector',
    () => lt.grad((x: lt.Tensor) => x)(z(3)),
    'grad: the function must return one float scalar, got float32[3]; reduce it (mean, sum) or use vjp',
  ],
  [
    'grad of integers',
    () => lt.grad((x: lt.Tensor) => x)(whole([1])),
    'grad: can only differentiate with respect to float tensors, found int32[1]',
  ],
  [
    'grad argument',
    () => lt.grad((x: lt.Tensor) => x, 1)(z()),
    'grad: argument 1 was asked for, the function was called with 1',
  ],
  ['jvp', () => lt.jvp(lt.sin, [z(3)], [z(2)]), 'jvp: tangent 0 is float32[2], expected float32[3]'],
  ['vjp', () => lt.vjp(lt.sin, z(3))[1](z(2)), 'vjp: cotangent 0 is float32[2], expected float32[3]'],
  [
    'vmap sizes',
    () => lt.vmap(lt.add)(z(2, 3), z(3, 3)),
    'vmap: mapped axes must have one size, got 2 and 3 (float32[3, 3])',
  ],
  [
    'vmap axes',
    () => lt.vmap(lt.add, { inAxes: [0] })(z(2), z(2)),
    'vmap: inAxes has 1 entries, the function was called with 2 arguments',
  ],
  [
    'vmap of nothing',
    () => lt.vmap((x: lt.Tensor) => x, { inAxes: [null] })(z(2)),
    'vmap: nothing to map over: no argument has an axis',
  ],
  [
    'vmap result',
    () => lt.vmap((x: lt.Tensor) => x, { outAxes: 3 })(z(2)),
    'vmap: outAxes puts the batch at axis 3 of result 0, which has 1 axes',
  ],
  [
    'jit result',
    () => lt.jit((_: lt.Tensor) => 'text')(z(1)),
    'jit: a jitted function must return tensors, found string',
  ],
  [
    'donate',
    () => lt.jit((x: lt.Tensor) => x, { donate: [1], name: 'step' })(z(1)),
    'step: argument 1 is to be donated, the call has 1',
  ],
  [
    'key',
    () => lt.random.normal(z(2), [1]),
    'random: the key must be uint32[..., 2] as made by random.key or random.split, got float32[2]',
  ],
  [
    'conv2d window',
    () => lt.conv2d(z(1, 4, 2, 3), z(3, 3, 3, 8)),
    'conv2d: a window 3 wide does not fit images float32[1, 4, 2, 3] with padding 0 and 0',
  ],
  [
    'convTranspose2d',
    () => lt.convTranspose2d(z(1, 4, 4, 3), z(2, 2, 3, 8)),
    'convTranspose2d: needs images [N, H, W, C] and weights [kh, kw, O / groups, C], got float32[1, 4, 4, 3] and float32[2, 2, 3, 8] with groups 1',
  ],
  [
    'outputPadding',
    () => lt.convTranspose2d(z(1, 4, 4, 3), z(2, 2, 8, 3), { stride: [2, 1], outputPadding: 1 }),
    'convTranspose2d: outputPadding is 1, expected less than stride or dilation',
  ],
  [
    "outputPadding with 'same'",
    () => lt.convTranspose2d(z(1, 4, 4, 3), z(2, 2, 8, 3), { stride: 2, padding: 'same', outputPadding: 1 }),
    "convTranspose2d: outputPadding with padding 'same', which says the size; expected one of the two",
  ],
  [
    'convTranspose2d padding',
    () => lt.convTranspose2d(z(1, 1, 4, 3), z(2, 2, 8, 3), { padding: 2 }),
    'convTranspose2d: padding 2 cuts more off images float32[1, 1, 4, 3] than there is',
  ],
  [
    'batchNorm',
    () => lt.batchNorm(z(4, 2), { mean: z(2) }),
    'batchNorm: mean was given alone, expected mean and variance, or neither',
  ],
  [
    'batchNorm variance',
    () => lt.batchNorm(z(4, 2), { variance: z(2) }),
    'batchNorm: variance was given alone, expected mean and variance, or neither',
  ],
  [
    'uniform',
    () => lt.random.uniform(lt.random.key(0), [2], 1, -1),
    'random.uniform: needs low <= high, got 1 and -1',
  ],
  [
    'larger than any memory',
    () => lt.zeros([2 ** 32, 2 ** 32]),
    "device 'reference': out of memory: float32[4294967296, 4294967296] has more bytes than any device",
  ],
  [
    'larger than this memory',
    () => lt.arange(1, 2 ** 40),
    'out of memory: no room for 1099511627775 elements of int32',
  ],
  ['mse', () => lt.mse(z(2), z(3)), /^mse: shapes \[2\] and \[3\] do not broadcast/],
  [
    'padding',
    () => lt.conv2d(z(1, 4, 4, 1), z(3, 3, 1, 1), { padding: [[1, 1]] as never }),
    "conv2d: padding is [[1,1]], expected 'same', 'valid', a whole number, [vertical, horizontal] or [[top, bottom], [left, right]]",
  ],
  [
    'stride',
    () => lt.conv2d(z(1, 4, 4, 1), z(3, 3, 1, 1), { stride: 0 }),
    'conv2d: stride is 0, expected a whole number from 1 or two of them, [vertical, horizontal]',
  ],
  [
    'no layer',
    () => lt.nn.sequential({ a: lt.nn.relu as never }),
    'sequential: child a is a function, expected a layer; call the function that makes it',
  ],
  [
    'model width',
    () => lt.nn.allCnn({ classes: 2, width: 'big' as never }),
    "allCnn: width is 'big', expected 'half' or 'full'",
  ],
  [
    'einsum',
    () => lt.einsum(3 as never, z(2)),
    "einsum: the equation is 3, expected text such as 'ij,jk->ik'",
  ],
  ['logicalNot', () => lt.logicalNot(z(2)), 'logicalNot: operand 1 is float32[2], expected bool'],
  [
    'logicalOr',
    () => lt.logicalOr(lt.equal(z(2), 0), z(2)),
    'logicalOr: operand 2 is float32[2], expected bool',
  ],
  ['stack', () => lt.stack([z(2), z(3)]), 'stack: float32[3] has another shape than float32[2]'],
  [
    'hvp',
    () => lt.hvp((p) => lt.sum(p.a), [{ a: z(2) }], [{ b: z(2) } as never]),
    'hvp: vectors are [{b: *}], expected the structure of the primals [{a: *}]',
  ],
  [
    'layer',
    () => lt.nn.lenet({ classes: 10 }).apply(lenet(), z(1, 32, 32, 3)),
    /^conv1: conv2d: needs images .* got float32\[1, 32, 32, 3\] and float32\[5, 5, 1, 6\]/,
  ],
  [
    'nested layer',
    () =>
      lt.nn
        .sequential({ a: lt.nn.sequential([lt.nn.relu(), lt.nn.dense(3)]) })
        .apply({ params: { a: [{}, { weight: z(4, 3), bias: z(3) }] }, state: {} }, z(1, 5)),
    'a.1: matmul: float32[1, 5] x float32[4, 3]: inner sizes 5 and 4 differ',
  ],
])('%s', (_, f, message) => {
  let thrown: unknown;
  try {
    f();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(lt.LetheError);
  expect((thrown as Error).message).toEqual(
    typeof message === 'string' ? message : expect.stringMatching(message),
  );
});

// JavaScript has no compiler to catch these.
const any = <T>(x: unknown): T => x as T;
test.each<[string, () => unknown, string]>([
  [
    'no operand',
    () => lt.add(z(2), any(undefined)),
    'add: operand 2 is undefined, expected a tensor or a number',
  ],
  ['text', () => lt.mul(z(2), any('2')), "mul: operand 2 is '2', expected a tensor or a number"],
  ['number', () => lt.exp(any(1)), 'exp: operand 1 is 1, expected a tensor'],
  [
    'promise',
    () =>
      lt.matmul(
        z(1, 1),
        any(
          z(1)
            .data()
            .catch(() => {}),
        ),
      ),
    'matmul: operand 2 is a Promise (await it first), expected a tensor',
  ],
  [
    'sizes one by one',
    () => any<(...n: number[]) => void>(lt.zeros)(2, 3),
    'full: expected a list of numbers, got 2',
  ],
  [
    'pool',
    () => lt.maxPool2d(z(1, 2, 2, 1), any(2)),
    'maxPool2d: options are 2, expected { size, stride, padding }',
  ],
  [
    'pool without a size',
    () => lt.avgPool2d(z(1, 2, 2, 1), any({})),
    'avgPool2d: size is undefined, expected a whole number from 1 or two of them, [vertical, horizontal]',
  ],
  [
    "another library's option",
    () => lt.conv2d(z(1, 4, 4, 1), z(3, 3, 1, 1), any({ strides: 2 })),
    "conv2d: there is no option 'strides', expected { stride, padding, dilation, groups }",
  ],
  [
    'option of a layer',
    () =>
      lt.nn.sequential([lt.nn.relu()]).apply({ params: [{}], state: [{}] }, z(1), any({ training: true })),
    "sequential: there is no option 'training', expected { train, key, frozenStatistics, tap }",
  ],
  [
    'options of an optimiser',
    () => lt.optim.sgd(any({ learningRate: 0.1, weight_decay: 1 })),
    "sgd: there is no option 'weight_decay', expected { learningRate, momentum, nesterov, weightDecay }",
  ],
  [
    'no options',
    () => lt.nn.resnet18(any(undefined)),
    'resnet18: classes must be a positive integer, got undefined',
  ],
  ['no function', () => lt.jit(any(undefined)), 'jit: expected a function, got undefined'],
  [
    'reduction',
    () => lt.mse(z(2), z(2), { reduction: any('avg') }),
    "mse: reduction is 'avg', expected none, sum, mean",
  ],
  [
    'dtype',
    () => lt.tensor([1], { dtype: any('float') }),
    'dtype is "float", expected one of float16, float32, float64, int32, uint32, bool',
  ],
  [
    'seed for a key',
    () => lt.random.normal(any(7), [2]),
    'random: the key is 7, expected one made by random.key or random.split',
  ],
  [
    'path for bytes',
    () => lt.io.loadSafetensors(any('a.safetensors')),
    "loadSafetensors: expected the bytes of a file (a Uint8Array or ArrayBuffer), got 'a.safetensors'",
  ],
  [
    'one primal',
    () => lt.jvp(lt.exp, any(z(2)), any(z(2))),
    'jvp: primals must be an array with one entry for each argument, got an object',
  ],
])('untyped: %s', (_, f, message) =>
  expect(f).toThrow(expect.objectContaining({ name: 'LetheError', message })),
);

/** Functions that take shapes, equations or functions first; all others take tensors. */
const operations = Object.keys(lt).filter(
  (name) => name in lt.Tensor.prototype || ['concat', 'stack'].includes(name),
);
test.each(operations)('%s of what is no tensor is one clear error', (name) => {
  const f = any<Record<string, (...args: unknown[]) => unknown>>(lt)[name];
  for (const wrong of [undefined, null, 'x', 3, {}, Promise.resolve()]) {
    expect(() => f(wrong), describe(wrong)).toThrow(lt.LetheError);
    if (wrong !== 3) expect(() => f(wrong, z(2, 2)), describe(wrong)).toThrow(lt.LetheError);
  }
  for (const wrong of ['x', {}, Promise.resolve()])
    try {
      f(z(2, 2), wrong);
    } catch (error) {
      expect(error, describe(wrong)).toBeInstanceOf(lt.LetheError);
    }
});

test('values that escape their transformation', async () => {
  const stolen: lt.Tensor[] = [];
  const steal = (x: lt.Tensor) => {
    stolen[0] = x;
    return lt.sum(x);
  };
  for (const [run, name] of [
    [() => lt.grad(steal)(z(2)), 'jvp'],
    [() => lt.vmap(steal)(z(2, 2)), 'vmap'],
    [() => lt.jit(steal)(z(2)), 'jit'],
  ] as const) {
    run();
    expect(() => lt.add(stolen[0], 1)).toThrow(
      `add: an operand escaped from ${name}; return values from the function`,
    );
    expect(() => lt.jit(lt.neg)(stolen[0])).toThrow('escaped from its transformation');
    await expect(stolen[0].data()).rejects.toThrow(
      `data(): this value is traced by ${name}; its elements are not known here`,
    );
  }
});

test('shapes are checked when a function is traced, not when it runs', () => {
  const f = lt.jit((x: lt.Tensor) => lt.matmul(x, z(3, 2)));
  expect(() => f.graph(z(2, 2))).toThrow('matmul: float32[2, 2] x float32[3, 2]: inner sizes 2 and 3 differ');
});
