// What a training step of a small CNN compiles to. A change of these texts is a change of what is computed or of how
// it is fused: look at it before accepting it.

import { beforeAll, expect, test } from 'vitest';
import { sizeOf } from '../../engine/dtype.ts';
import { LetheError } from '../../engine/error.ts';
import { showParams } from '../../engine/graph/graph.ts';
import { loopsOf } from '../../engine/graph/touches.ts';
import { verifyProgram } from '../../engine/graph/verify.ts';
import type { Loop, Program } from '../../engine/program.ts';
import * as lt from '../../index.ts';

beforeAll(() => lt.init({ device: 'reference' }));

type Params = { w: lt.Tensor; b: lt.Tensor; d: lt.Tensor };
const params = () => ({ w: lt.ones([3, 3, 1, 4]), b: lt.zeros([4]), d: lt.ones([16, 3]) });
const loss = (p: Params, x: lt.Tensor, y: lt.Tensor) => {
  const h = lt.maxPool2d(lt.relu(lt.add(lt.conv2d(x, p.w, { padding: 'same' }), p.b)), { size: 2 });
  return lt.crossEntropy(lt.matmul(lt.reshape(h, [x.shape[0], -1]), p.d), y);
};
const step = lt.jit(
  (p: Params, x: lt.Tensor, y: lt.Tensor) => {
    const [value, g] = lt.valueAndGrad(loss)(p, x, y);
    return [value, lt.tree.map((a: lt.Tensor, b: lt.Tensor) => lt.sub(a, lt.mul(b, 0.1)), p as never, g)];
  },
  { donate: [0], name: 'step' },
);
const batch = () => [lt.ones([2, 4, 4, 1]), lt.zeros([2], 'int32')] as const;

/** One line an instruction: kernel, what it computes element by element, before and after, what it stores and reduces. */
const outline = ({ instructions }: Program): string[] =>
  instructions.map((i) => {
    const opsIn = (l: Loop): string => l.steps.map((s) => s.op).join(' ');
    if (i.kind === 'loop') {
      const sums = i.loop.reductions.map((r) => ` ${r.op}[${r.axes}]`).join('');
      return `loop {${opsIn(i.loop)}}${sums}`;
    }
    if (i.kind === 'rows')
      return `rows {${i.rows.values.map((v) => (v.kind === 'step' ? v.step.op : v.kind === 'load' ? '-' : v.op)).join(' ')}}`;
    const made = i.prologues.map((p) => (p ? opsIn(p) : '-')).join(', ');
    return `${i.op}${made && `(${made})`}${i.epilogue ? ` {${opsIn(i.epilogue)}}` : ''}`;
  });

test('a training step as a graph', () => {
  expect(step.graph(params(), ...batch())).toMatchSnapshot();
});

test('a training step as a program', () => {
  const program = step.program(params(), ...batch());
  verifyProgram(program);
  expect(outline(program)).toMatchSnapshot();
  // Parameters are updated where they lie.
  expect(program.donations).toHaveLength(3);
});

test('what a step of a larger network needs', () => {
  const model = lt.nn.allCnn({ classes: 10 });
  const { params: p, state } = model.init(lt.random.key(0), [16, 32, 32, 3]);
  const f = (q: unknown, x: lt.Tensor, y: lt.Tensor) =>
    lt.crossEntropy(
      model.apply({ params: q, state } as never, x, { train: true, key: lt.random.key(1) }).output,
      y,
    );
  const program = lt.jit(lt.grad(f)).program(p, lt.zeros([16, 32, 32, 3]), lt.zeros([16], 'int32'));
  verifyProgram(program);
  const temporaries = program.slots
    .filter((s) => s.kind === 'temporary')
    .reduce((n, s) => n + Math.ceil((s.size * 4) / 256) * 256, 0);
  // The arena is used again and again: much smaller than all values together, and no smaller than the largest.
  expect(program.arenaBytes).toBeLessThan(0.75 * temporaries);
});

test('graphs print constants that JSON has no words for', () => {
  expect(showParams({ shape: [2], value: -Infinity, dtype: 'float32' })).toBe(
    'shape=[2] value=-Infinity dtype=float32',
  );
  expect(lt.jit((x: lt.Tensor) => lt.mul(lt.add(x, Number.NaN), 3)).graph(lt.ones([2]))).toContain(
    'value=NaN',
  );
  expect(new LetheError('value', 'x').name).toBe('LetheError');
});

test('programs of thousands of operations compile', async () => {
  const chain = (x: lt.Tensor) => {
    let y = x;
    for (let i = 0; i < 3000; i++) y = i % 3 ? lt.sin(lt.mul(y, 0.5)) : lt.sub(y, lt.mean(y));
    return lt.sum(y);
  };
  const started = process.cpuUsage();
  const program = lt.jit(lt.grad(chain)).program(lt.ones([4]));
  verifyProgram(program);
  // Time of the processor, which a busy machine does not lengthen; in microseconds.
  expect(process.cpuUsage(started).user).toBeLessThan(20e6);
});

test('the mask of relu in the gradient of max-pooling is applied to what the pool returned', async () => {
  // Overlapping windows, ties, a NaN and a window without a positive element.
  const size = [1, 5, 6, 2];
  const x = lt.random.randint(lt.random.key(3), size, -3, 3).sub(0.5);
  const values = (await x.data()).slice();
  values.fill(-1, 0, 30);
  values[41] = Number.NaN;
  const input = lt.tensor(values, { shape: size });
  const f = (v: lt.Tensor) =>
    lt
      .maxPool2d(v.relu(), { size: [3, 2], stride: [2, 1] })
      .mul(1.5)
      .sum();
  const compiled = lt.jit(lt.grad(f));
  const { instructions } = compiled.program(input);
  const selects = instructions.flatMap(loopsOf).filter((l) => l.steps.some((s) => s.op === 'select'));
  expect(selects.map((l) => sizeOf(l.shape))).toEqual([2 * 5 * 2]);
  expect(await compiled(input).array()).toEqual(await lt.grad(f)(input).array());
});

test('the sum of the gradient of max-pooling is taken before it is scattered', async () => {
  const x = lt.random.normal(lt.random.key(4), [2, 3, 4, 4, 2]);
  const one = (v: lt.Tensor, bias: lt.Tensor) =>
    lt.maxPool2d(v.add(bias).relu(), { size: 2, stride: 2 }).mul(1.5).sum();
  const perSample = lt.vmap(lt.grad(one, 1), { inAxes: [0, null] });
  for (const [f, sums] of [
    [(b: lt.Tensor) => lt.grad((v: lt.Tensor) => one(x.reshape([6, 4, 4, 2]), v))(b), [6 * 4, 2]],
    [(b: lt.Tensor) => perSample(x, b), [2, 3 * 4, 2]],
  ] as const) {
    const compiled = lt.jit(f);
    const bias = lt.tensor([0.5, -0.5]);
    const { instructions } = compiled.program(bias);
    // Forward and pooling see the images; nothing of the backward pass does.
    expect(
      Math.max(
        ...instructions
          .slice(2)
          .flatMap(loopsOf)
          .map((l) => sizeOf(l.shape)),
      ),
    ).toBe(sizeOf(sums));
    expect(instructions.some((i) => i.kind === 'op' && i.op === 'scatterAlong')).toBe(false);
    const expected = (await f(bias).data()) as Float32Array;
    for (const [i, v] of (await compiled(bias).data()).entries()) expect(v).toBeCloseTo(expected[i], 5);
  }
});

/** Two convolutions with normalisation and an activation between them, as a training step sees them. */
const block = (activation: (x: lt.Tensor) => lt.Tensor) => {
  const loss = (p: lt.Tensor[], x: lt.Tensor): lt.Tensor => {
    const y = lt.conv2d(x, p[0], { padding: 1 });
    const a = activation(lt.batchNorm(y, { scale: p[1], shift: p[2] }).output);
    return lt.square(lt.conv2d(a, p[3], { padding: 1, stride: 2 })).sum();
  };
  const operands: [lt.Tensor[], lt.Tensor] = [
    [
      lt.random.normal(lt.random.key(5), [3, 3, 3, 4]),
      lt.random.normal(lt.random.key(6), [4]),
      lt.random.normal(lt.random.key(7), [4]),
      lt.random.normal(lt.random.key(8), [3, 3, 4, 6]),
    ],
    lt.random.normal(lt.random.key(9), [2, 6, 5, 3]),
  ];
  return { step: lt.jit(lt.valueAndGrad(loss)), loss, operands };
};
const prologuesOf = ({ instructions }: Program): [string, string[]][] =>
  instructions.flatMap((i) =>
    i.kind === 'op'
      ? i.prologues.flatMap((p): [string, string[]][] => (p ? [[i.op, p.steps.map((s) => s.op)]] : []))
      : [],
  );

test('an activation that only convolutions and its own mask read is computed by them, not stored', async () => {
  const { step: compiled, loss, operands } = block(lt.relu);
  const program = compiled.program(...operands);
  verifyProgram(program);
  const normalised = ['sub', 'mul', 'add', 'relu'];
  expect(prologuesOf(program)).toEqual([
    ['conv', normalised],
    ['convGradWeight', normalised],
  ]);
  // Of the size of the activation, memory holds the result of the convolution before it and two gradients.
  const size = 2 * 6 * 5 * 4;
  expect(program.slots.filter((s) => s.kind === 'temporary' && s.size === size)).toHaveLength(3);
  const [value, gradients] = compiled(...operands);
  const [wanted, parts] = lt.valueAndGrad(loss)(...operands);
  expect(await value.item()).toBeCloseTo((await wanted.item()) as number, 2);
  for (const [i, g] of gradients.entries()) {
    const want = await parts[i].data();
    const largest = Array.from(want).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (const [k, v] of (await g.data()).entries())
      expect(Math.abs(v - want[k])).toBeLessThan(1e-5 * largest);
  }
});

test('what is costly, has two arrays to read, or other readers, is stored once', () => {
  const none = (f: (x: lt.Tensor, z: lt.Tensor, w: lt.Tensor) => unknown): void => {
    const program = lt.jit(f as never).program(lt.ones([8, 6]), lt.ones([8, 6]), lt.ones([6, 5])) as Program;
    verifyProgram(program);
    expect(prologuesOf(program)).toEqual([]);
  };
  none((x, _, w) => lt.matmul(x.exp(), w));
  none((x, z, w) => lt.matmul(x.add(z).relu(), w));
  none((x, _, w) => [lt.matmul(x.relu(), w), x.relu()]);
  none((x, _, w) => [lt.matmul(x.relu(), w), lt.cumsum(x.relu())]);
  none((x, _, w) => [1, 2, 3, 4].map((n) => lt.matmul(x.relu(), w.mul(n).exp())));
  // The exponentials would be stored in place of their quotients.
  none((x, _, w) => lt.matmul(lt.softmax(x), w));
  // What a root makes on its way out costs nothing to store.
  none((x, _, w) => lt.matmul(lt.matmul(x, w).relu(), w.exp().transpose()));
  const one = lt.jit((x: lt.Tensor, w: lt.Tensor) => lt.matmul(x.sub(1).relu(), w));
  expect(prologuesOf(one.program(lt.ones([8, 6]), lt.ones([6, 5])))).toEqual([
    ['dot', ['full', 'sub', 'relu']],
  ]);
});
