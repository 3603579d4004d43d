// Shapes and values where kernels break: around the edges of tiles, empty, of one element, odd in every way; and the
// special values of floating point, element by element.

import { test } from 'vitest';
import { isFloat, type Shape, sizeOf } from '../../engine/dtype.ts';
import * as lt from '../../engine/index.ts';
import { windowCount } from '../../engine/primitives/conv.ts';
import { primitives } from '../../engine/primitives/index.ts';
import type { ConvParams } from '../../engine/primitives/names.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { bind } from '../../engine/trace.ts';
import {
  agree,
  describeBackends,
  elements,
  epsilonOf,
  type Float,
  generator,
  isSoftware,
  make,
  on,
  oracle,
  read,
  type Target,
  termsIn,
} from './support.ts';

interface Run {
  readonly name: keyof typeof primitives;
  readonly shapes: readonly Shape[];
  readonly params: object;
  readonly fill?: 'distinct';
}

/** On a software adapter a third of the runs has to do, the same ones each time. */
function affordable(target: Target, runs: readonly Run[]): readonly Run[] {
  if (!isSoftware(target)) return runs;
  const next = generator(runs.length);
  return runs.filter(() => next() < 1 / 3);
}

/** One primitive on random operands: the target's value is the oracle's. */
async function same(target: Target, runs: readonly Run[]): Promise<void> {
  for (const { name, shapes, params, fill } of affordable(target, runs)) {
    const f = (xs: Tensor[]) => bind(primitives[name], xs, params);
    const data = shapes.map((shape, i) => elements({ shape, fill }, 3 + i));
    const want = await on(oracle, 'float64', () =>
      read(f(shapes.map((s, i) => make(data[i], s, 'float64')))),
    );
    await on(target.backend(), target.float, async () => {
      const xs = shapes.map((s, i) => make(data[i], s, target.float));
      const what = `${name} ${JSON.stringify(shapes)} ${JSON.stringify(params)}`;
      agree(await read(f(xs)), want, epsilonOf(target.float) * (4 + termsIn(f, xs)), what);
      for (const x of xs) x.dispose();
    });
  }
}

const pick = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)];

function products(): Run[] {
  const edges = [0, 1, 2, 7, 15, 16, 17, 31, 33, 48, 65];
  const runs: Run[] = [];
  const next = generator(11);
  const one = (
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    batch: number[] = [],
  ) =>
    runs.push({
      name: 'dot',
      shapes: [
        [...batch, ...(transposeA ? [k, m] : [m, k])],
        [...batch, ...(transposeB ? [n, k] : [k, n])],
      ],
      params: { transposeA, transposeB },
    });
  for (const m of edges) for (const n of edges) one(m, n, pick(next, edges), next() < 0.5, next() < 0.5);
  for (const k of edges)
    for (const t of [0, 1, 2, 3]) one(pick(next, edges), pick(next, edges), k, t % 2 === 1, t > 1);
  for (const batch of [[1], [3], [2, 2], [0]]) one(5, 17, 9, next() < 0.5, next() < 0.5, batch);
  one(130, 70, 300, false, false);
  one(3, 513, 1030, true, false);
  return runs;
}

function convolutions(): Run[] {
  const runs: Run[] = [];
  const add = (x: Shape, kernel: readonly [number, number], o: number, p: Partial<ConvParams> = {}) => {
    const params: ConvParams = {
      stride: [1, 1],
      padding: [
        [0, 0],
        [0, 0],
      ],
      dilation: [1, 1],
      groups: 1,
      ...p,
    };
    const [B, N, H, W, C] = x;
    const out = ([0, 1] as const).map((i) =>
      windowCount([H, W][i], kernel[i], params.stride[i], params.padding[i], params.dilation[i]),
    );
    const w = [B, ...kernel, C / params.groups, o];
    const y = [B, N, ...out, o];
    runs.push(
      { name: 'conv', shapes: [x, w], params },
      { name: 'convGradInput', shapes: [y, w], params: { ...params, inputSize: [H, W] } },
      { name: 'convGradWeight', shapes: [x, y], params: { ...params, kernelSize: kernel } },
    );
  };
  const around1 = [
    [1, 1],
    [1, 1],
  ] as const;
  for (const [c, o] of [
    [1, 1],
    [3, 5],
    [7, 16],
    [16, 17],
    [33, 8],
    [64, 64],
  ])
    add([1, 2, 6, 7, c], [3, 3], o, { padding: around1 });
  add([1, 1, 5, 5, 3], [1, 1], 4);
  add([1, 2, 9, 9, 3], [1, 1], 4, { stride: [2, 2] });
  add([1, 1, 2, 3, 2], [3, 5], 3, {
    padding: [
      [1, 1],
      [1, 2],
    ],
  });
  add([1, 1, 2, 2, 3], [3, 3], 2);
  add([1, 1, 3, 3, 2], [2, 2], 3, {
    padding: [
      [3, 4],
      [5, 0],
    ],
  });
  add([1, 0, 4, 4, 3], [3, 3], 5, { padding: around1 });
  add([0, 1, 4, 4, 3], [3, 3], 5);
  add([1, 1, 8, 8, 12], [3, 3], 12, { groups: 12, padding: around1 });
  add([1, 1, 8, 8, 12], [3, 3], 24, { groups: 12, padding: around1, stride: [2, 2] });
  add([1, 1, 8, 9, 12], [3, 2], 9, {
    groups: 3,
    dilation: [2, 3],
    padding: [
      [2, 1],
      [0, 3],
    ],
  });
  add([3, 1, 7, 7, 5], [5, 5], 6, {
    padding: [
      [2, 2],
      [2, 2],
    ],
    stride: [3, 1],
  });
  add([1, 2, 28, 28, 1], [5, 5], 6, {
    padding: [
      [2, 2],
      [2, 2],
    ],
  });
  const next = generator(5);
  for (let i = 0; i < 24; i++) {
    const groups = pick(next, [1, 1, 2, 3]);
    const n = (list: number[]) => pick(next, list);
    add(
      [n([1, 1, 2]), n([1, 2]), n([1, 4, 7, 10]), n([2, 5, 9]), groups * n([1, 2, 5])],
      [n([1, 2, 3]), n([1, 3, 4])],
      groups * n([1, 3, 4]),
      {
        groups,
        stride: [n([1, 2, 3]), n([1, 2])],
        dilation: [n([1, 1, 2]), n([1, 1, 3])],
        padding: [
          [n([0, 1, 2]), n([0, 1, 2])],
          [n([0, 1, 3]), n([0, 2])],
        ],
      },
    );
  }
  return runs;
}

function reductions(): Run[] {
  const runs: Run[] = [];
  const add = (shape: Shape, axes: readonly number[]) => {
    for (const name of ['sum', 'max', 'min'] as const)
      runs.push({ name, shapes: [shape], params: { axes }, fill: 'distinct' });
    if (sizeOf(axes.map((a) => shape[a])) > 0)
      runs.push({ name: 'moments', shapes: [shape], params: { axes } });
  };
  for (const shape of [
    [3, 5, 7],
    [1, 9, 1, 4],
    [2, 1, 33],
    [17, 2, 3, 5],
  ])
    for (let mask = 0; mask < 2 ** shape.length; mask++)
      add(
        shape,
        shape.map((_, i) => i).filter((i) => (mask >> i) % 2),
      );
  for (let n = 1; n <= 70; n++) add(n % 2 ? [n, 3] : [3, n], [n % 2 ? 0 : 1]);
  add([100_003], [0]);
  add([4, 0, 3], [1]);
  add([4, 0, 3], [0]);
  for (const shape of [[70], [5, 33], [2, 17, 3]])
    for (const axis of shape.keys()) {
      for (const reverse of [false, true])
        runs.push({ name: 'cumsum', shapes: [shape], params: { axis, reverse } });
      for (const name of ['argmax', 'argmin'] as const)
        runs.push({ name, shapes: [shape], params: { axis }, fill: 'distinct' });
    }
  for (const n of [1, 2, 3, 31, 64, 65, 257])
    runs.push({ name: 'sort', shapes: [[3, n]], params: {}, fill: 'distinct' });
  return runs;
}

function pools(): Run[] {
  const runs: Run[] = [];
  const none = [
    [0, 0],
    [0, 0],
  ] as const;
  const add = (
    x: Shape,
    size: readonly [number, number],
    stride: readonly [number, number],
    padding: ConvParams['padding'] = none,
  ) => {
    const p = { size, stride, padding };
    const y = [
      x[0],
      windowCount(x[1], size[0], stride[0], padding[0]),
      windowCount(x[2], size[1], stride[1], padding[1]),
      x[3],
    ];
    runs.push(
      { name: 'maxPool', shapes: [x], params: p, fill: 'distinct' },
      { name: 'sumPool', shapes: [x], params: p },
      { name: 'sumPoolTranspose', shapes: [y], params: { ...p, inputSize: [x[1], x[2]] } },
    );
  };
  add(
    [2, 7, 9, 17],
    [3, 3],
    [2, 2],
    [
      [1, 1],
      [1, 1],
    ],
  );
  add([1, 8, 8, 33], [2, 2], [2, 2]);
  add(
    [1, 6, 5, 3],
    [2, 3],
    [1, 1],
    [
      [0, 1],
      [2, 0],
    ],
  );
  add([1, 2, 2, 1], [3, 3], [1, 1]);
  add([0, 4, 4, 3], [2, 2], [2, 2]);
  add([1, 9, 9, 2], [2, 2], [4, 3]);
  return runs;
}

const SPECIAL = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  3,
  -3,
  10,
  -10,
  88,
  -88,
  100,
  -100,
  1e-3,
  1e-20,
  -1e-20,
  1e-38,
  1e20,
  -1e20,
  3e38,
  Infinity,
  -Infinity,
  Number.NaN,
  7.5,
  -7.5,
  2 ** 24,
  2147483648,
  4294967296,
  -2147483649,
];

/** What docs/primitives.md leaves open: the platform's pow where a base or exponent is special, sine of huge angles. */
const open = (name: string, xs: readonly number[]): boolean =>
  (name === 'pow' && (xs[0] < 0 || xs.some((x) => !Number.isFinite(x) || x === 0))) ||
  ((name === 'sin' || name === 'cos') && Math.abs(xs[0]) > 2 ** 16);

const formula = (name: string, dtype: Float, xs: readonly Float64Array[]): number[] =>
  Array.from(
    primitives[name as 'neg'].reference(
      xs.map((data) => ({ shape: [data.length], dtype: 'float64', data })),
      {},
      [{ shape: [xs[0].length], dtype: 'float64' }],
    )[0],
    (v) => (dtype === 'float32' ? Math.fround(v) : v),
  );

describeBackends((target) => {
  test('products around the edges of tiles', () => same(target, products()));
  test('convolutions of every kind', () => same(target, convolutions()));
  test('reductions over every set of axes, and every length', () => same(target, reductions()));
  test('pooling', () => same(target, pools()));

  test('elementwise: special values', () =>
    on(target.backend(), target.float, async () => {
      const values = SPECIAL.map(Math.fround);
      const floats = [
        'neg',
        'abs',
        'sign',
        'exp',
        'log',
        'log1p',
        'expm1',
        'sqrt',
        'rsqrt',
        'tanh',
        'sigmoid',
        'erf',
        'sin',
        'cos',
        'floor',
        'relu',
        'add',
        'sub',
        'mul',
        'div',
        'maximum',
        'minimum',
        'pow',
        'less',
        'lessEqual',
        'equal',
      ] as const;
      const problems: string[] = [];
      for (const name of floats) {
        const binary = primitives[name].samples[0].operands.length === 2;
        const pairs = binary ? values.flatMap((a) => values.map((b) => [a, b])) : values.map((a) => [a]);
        const operands = pairs[0].map((_, i) => Float64Array.from(pairs, (p) => p[i]));
        const want = formula(name, target.float, operands);
        const xs = operands.map((data) => make(data, [data.length], target.float));
        const [y] = bind(primitives[name], xs, {});
        const got = await y.data();
        pairs.forEach((p, i) => {
          if (open(name, p)) return;
          // Four units in the last place, and what flushing the smallest numbers to zero costs.
          const limit = isFloat(y.dtype) ? 4 * epsilonOf(target.float) * Math.abs(want[i]) + 2 ** -125 : 0;
          const ok = Object.is(got[i], want[i]) || got[i] === want[i] || Math.abs(got[i] - want[i]) <= limit;
          if (!ok) problems.push(`${name}(${p.join(', ')}) = ${got[i]}, expected ${want[i]}`);
        });
      }
      if (problems.length > 0) throw new Error(problems.join('\n'));
    }));

  test('conversions truncate, saturate, and make 0 of what is not a number', () =>
    on(target.backend(), target.float, async () => {
      const values = Float64Array.from(SPECIAL, Math.fround);
      const x = make(values, [values.length], target.float);
      const clamp = (low: number, high: number) => (v: number) =>
        Number.isNaN(v) ? 0 : Math.min(high, Math.max(low, Math.trunc(v))) + 0;
      const problems: string[] = [];
      for (const [dtype, f] of [
        ['int32', clamp(-2147483648, 2147483647)],
        ['uint32', clamp(0, 4294967295)],
        ['bool', (v: number) => (v !== 0 ? 1 : 0)],
      ] as const) {
        const got = await lt.astype(x, dtype).data();
        values.forEach((v, i) => {
          if (got[i] !== f(v)) problems.push(`${v} to ${dtype} is ${got[i]}, expected ${f(v)}`);
        });
      }
      if (problems.length > 0) throw new Error(problems.join('\n'));
    }));

  test('whole numbers wrap, divide towards zero, and by zero give 0', () =>
    on(target.backend(), target.float, async () => {
      const ints = [0, 1, -1, 7, -7, 65537, -65537, 2147483647, -2147483648, 123456789];
      const pairs = ints.flatMap((a) => ints.map((b) => [a, b]));
      const problems: string[] = [];
      for (const [name, f] of [
        ['add', (a: number, b: number) => (a + b) | 0],
        ['sub', (a: number, b: number) => (a - b) | 0],
        ['mul', Math.imul],
        ['div', (a: number, b: number) => (b === 0 ? 0 : (a / b) | 0)],
        ['maximum', Math.max],
        ['less', (a: number, b: number) => Number(a < b)],
      ] as const) {
        const xs = [0, 1].map((i) =>
          make(
            pairs.map((p) => p[i]),
            [pairs.length],
            'int32',
          ),
        );
        const got = await bind(primitives[name], xs, {})[0].data();
        pairs.forEach(([a, b], i) => {
          if (got[i] !== f(a, b)) problems.push(`${name}(${a}, ${b}) = ${got[i]}, expected ${f(a, b)}`);
        });
        const us = [0, 1].map((i) =>
          make(
            pairs.map((p) => p[i] >>> 0),
            [pairs.length],
            'uint32',
          ),
        );
        if (name === 'mul' || name === 'add') {
          const wrapped = await bind(primitives[name], us, {})[0].data();
          pairs.forEach(([a, b], i) => {
            if (wrapped[i] !== f(a, b) >>> 0)
              problems.push(`uint32 ${name}(${a >>> 0}, ${b >>> 0}) = ${wrapped[i]}`);
          });
        }
      }
      if (problems.length > 0) throw new Error(problems.join('\n'));
    }));

  test('not a number wins reductions and pooling, and is sorted last; indices out of range', () =>
    on(target.backend(), target.float, async () => {
      const nan = Number.NaN;
      const x = lt.tensor([3, nan, 1, -Infinity, 2, Infinity]);
      const expectAll = async (ys: readonly Tensor[], want: readonly (readonly number[])[]) =>
        agree(
          await read(ys),
          want.map((w, k) => ({ shape: ys[k].shape, dtype: ys[k].dtype, data: Float64Array.from(w) })),
          0,
          'special',
        );
      await expectAll(
        [lt.max(x), lt.min(x), lt.sum(x), lt.argmax(x), lt.argmin(x)],
        [[nan], [nan], [nan], [1], [1]],
      );
      const sorted = lt.sort(x);
      await expectAll(
        [sorted.values, sorted.indices],
        [
          [-Infinity, 1, 2, 3, Infinity, nan],
          [3, 2, 4, 0, 5, 1],
        ],
      );
      await expectAll([lt.maxPool2d(lt.reshape(x, [1, 2, 3, 1]), { size: [1, 3] })], [[nan, Infinity]]);
      await expectAll([lt.maxPool2d(lt.full([1, 2, 2, 1], -Infinity), { size: 2 })], [[-Infinity]]);
      await expectAll(
        [lt.max(lt.zeros([0])), lt.min(lt.zeros([0])), lt.sum(lt.zeros([0]))],
        [[-Infinity], [Infinity], [0]],
      );
      const at = lt.tensor([-1, 0, 6, 2], { dtype: 'int32' });
      await expectAll(
        [lt.take(x, at), lt.take(lt.astype(lt.ones([6]), 'int32'), at)],
        [
          [nan, 3, nan, 1],
          [0, 1, 0, 1],
        ],
      );
      await expectAll([lt.takeAlongAxis(x, at)], [[nan, 3, nan, 1]]);
      await expectAll([lt.scatterAdd(lt.zeros([3]), at, lt.ones([4]))], [[1, 0, 1]]);
      const ties = lt.sort(lt.tensor([1, 0, 1, 0]));
      await expectAll([ties.indices, lt.argmax(lt.tensor([1, 2, 2]))], [[1, 3, 0, 2], [1]]);
    }));
});
