// Products that compute an operand while they fetch it: every root, both operands, at sizes where ways of fetching differ.
// What prologues make of zero is not zero, so padding that went through one would show. Expected values are the
// reference backend's.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, stridesOf } from '../../engine/dtype.ts';
import type { Instruction, Loop, OpInstruction, Program, RootName, Step } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import { lower } from '../../kernels/lower.ts';
import { PORTABLE, type Traits } from '../../kernels/lowering.ts';
import {
  broadcastView,
  distance,
  execute,
  program,
  type Result,
  randomFloats,
  sameBits,
  slot,
  step,
  type Value,
} from '../native/support.ts';
import { halves } from './half.ts';
import { describeDawn, describeGpu, open } from './support.ts';
import { problemsOf } from './valid.ts';

interface Case {
  readonly program: Program;
  readonly inputs: readonly Value[];
  /** Terms of a sum. */
  readonly depth: number;
}
type Pair = readonly [Value, Value];

/**
 * A product whose first operand is relu(x * factor + shift), factor and shift lying along the last axis, and whose second
 * is y where a mask of its size is positive, else -0.75. `turned`: x lies in memory with its last two axes exchanged.
 */
function product(
  root: RootName,
  params: object,
  [x, y]: Pair,
  shape: Shape,
  depth: number,
  { dtype = 'float32' as DType, turned = false, both = true, epilogue = false } = {},
): Case {
  const make = dtype === 'float16' ? halves : (s: Shape, seed: number) => randomFloats(s, seed, 1);
  const channels = x.shape.slice(-1);
  const factor = make(channels, 11);
  const shift = make(channels, 12);
  const mask = make(y.shape, 13);
  const bias = make(shape.slice(-1), 14);
  const view = (n: number, v: Value, domain: Shape) => ({ ...broadcastView(n, v, domain), dtype });
  const strides = [...stridesOf(x.shape)];
  const r = strides.length;
  if (turned) [strides[r - 2], strides[r - 1]] = [1, x.shape[r - 2]];
  const op = (name: Step['op'], args: number[], of = dtype, value?: number): Step =>
    step(name, args, of, value);
  const affine: Loop = {
    shape: x.shape,
    inputs: [{ slot: 0, dtype, strides, offset: 0 }, view(2, factor, x.shape), view(3, shift, x.shape)],
    steps: [op('mul', [0, 1]), op('add', [3, 2]), op('relu', [4])],
    stores: [],
    reductions: [],
  };
  const masked: Loop = {
    shape: y.shape,
    inputs: [view(1, y, y.shape), view(4, mask, y.shape)],
    steps: [
      op('full', [], dtype, 0),
      op('less', [2, 1], 'bool'),
      op('full', [], dtype, -0.75),
      op('select', [3, 0, 4]),
    ],
    stores: [],
    reductions: [],
  };
  const loop: Loop = {
    shape,
    inputs: [view(5, bias, shape)],
    steps: [op('add', [1, 0]), op('relu', [2])],
    stores: [{ value: 3, slot: 6 }],
    reductions: [],
  };
  const inputs = [x, y, factor, shift, mask, bias];
  return {
    depth,
    inputs,
    program: program({
      slots: [...inputs.map((v, i) => slot('input', v, i)), slot('output', { shape, dtype }, 0)],
      instructions: [
        {
          kind: 'op',
          op: root,
          params,
          inputs: [
            { slot: -1, shape: x.shape, dtype },
            { slot: both ? -1 : 1, shape: y.shape, dtype },
          ],
          outputs: [{ slot: epilogue ? -1 : 6, shape, dtype }],
          prologues: [affine, both ? masked : null],
          epilogue: epilogue ? loop : null,
        } as Instruction,
      ],
    }),
  };
}

type Options = Parameters<typeof product>[5];

const dot = (
  b: number,
  m: number,
  n: number,
  k: number,
  ta: number,
  tb: number,
  options: Options = {},
): Case => {
  const make = options.dtype === 'float16' ? halves : (s: Shape, seed: number) => randomFloats(s, seed, 1);
  const x = make(ta ? [b, k, m] : [b, m, k], 1);
  const y = make(tb ? [b, n, k] : [b, k, n], 2);
  return product('dot', { transposeA: ta === 1, transposeB: tb === 1 }, [x, y], [b, m, n], k, options);
};
/** Stride, dilation, uneven padding; three directions. */
function convolutions(channels: number, filters: number, groups: number, options: Options = {}): Case[] {
  // biome-ignore format: one line
  const params = { stride: [2, 1], padding: [[1, 0], [2, 1]], dilation: [1, 2], groups, inputSize: [9, 8], kernelSize: [3, 2] };
  const make = options.dtype === 'float16' ? halves : (s: Shape, seed: number) => randomFloats(s, seed, 1);
  const x = make([2, 3, 9, 8, channels], 1);
  const w = make([2, 3, 2, channels / groups, filters], 2);
  const dy = make([2, 3, 4, 9, filters], 3);
  return [
    product('conv', params, [x, w], dy.shape, (6 * channels) / groups, options),
    product('convGradInput', params, [dy, w], x.shape, (6 * filters) / groups, options),
    product('convGradWeight', params, [x, dy], w.shape, 3 * 4 * 9, options),
  ];
}

const DOTS: Case[] = [
  dot(2, 13, 21, 17, 0, 0),
  dot(2, 13, 21, 17, 1, 1, { epilogue: true }),
  dot(1, 70, 68, 36, 0, 1, { both: false, epilogue: true }),
  dot(1, 36, 20, 24, 1, 0, { turned: true }),
  dot(1, 3, 4, 1500, 0, 0),
];
const CONVOLUTIONS: Case[] = [
  ...convolutions(8, 8, 2),
  ...convolutions(3, 5, 1, { epilogue: true }),
  ...convolutions(6, 6, 6, { both: false }),
];
const HALVES: Case[] = [
  dot(1, 20, 24, 36, 0, 1, { dtype: 'float16' }),
  dot(2, 13, 21, 17, 1, 0, { dtype: 'float16', epilogue: true }),
  ...convolutions(8, 8, 2, { dtype: 'float16' }),
];

const reference = createReferenceBackend();

describeGpu('prologues', () => {
  const kinds: Record<string, Backend> = {};
  const limits: Record<string, Partial<Traits>> = {
    shared: {},
    direct: { subgroup: 0 },
    staged: { software: false },
    'few buffers': { storageBuffers: 4 },
  };
  beforeAll(async () => {
    for (const [kind, l] of Object.entries(limits)) kinds[kind] = await open({ limits: l });
  });
  afterAll(async () => {
    for (const b of Object.values(kinds)) await b.close();
  });

  const compare = async (c: Case, on: Backend, bound: number): Promise<void> => {
    const [want] = await execute(reference, c.program, c.inputs);
    const got = await execute(on, c.program, c.inputs);
    const { op, inputs } = c.program.instructions[0] as OpInstruction;
    expect(distance(got[0], want), `${op} ${inputs.map((x) => x.shape.join('x'))}`).toBeLessThanOrEqual(
      bound,
    );
    expect(sameBits(await execute(on, c.program, c.inputs), got)).toBe(true);
  };
  // Software takes long to compile the kernels for real GPUs: those get some of the cases here, and all on the null device.
  const cases: Record<string, Case[]> = {
    shared: [...DOTS, ...CONVOLUTIONS],
    direct: [...DOTS.slice(0, 2), ...CONVOLUTIONS.slice(0, 3)],
    staged: [...DOTS.slice(0, 4), ...CONVOLUTIONS.slice(0, 6)],
    'few buffers': [...DOTS.slice(0, 2), ...CONVOLUTIONS.slice(3, 6)],
  };
  for (const kind of Object.keys(limits))
    it(`are computed while operands are fetched: ${kind}`, async () => {
      for (const c of cases[kind]) await compare(c, kinds[kind], 1e-7 * (c.depth + 100));
    });
  it('come out of the planner where the adapter is taken for hardware, and compute the same', async () => {
    const loss = (w: lt.Tensor, v: lt.Tensor, shift: lt.Tensor, x: lt.Tensor) => {
      const y = lt.batchNorm(lt.conv2d(x, w, { padding: 1 }), { shift }).output.relu();
      return lt.conv2d(y, v, { padding: 1, stride: 2 }).square().mean();
    };
    const shapes = [[3, 3, 3, 8], [3, 3, 8, 4], [8], [2, 7, 6, 3]];
    const results: Float32Array[][] = [];
    for (const backend of [reference, kinds.staged, kinds.shared]) {
      lt.useBackend(backend);
      const step = lt.jit(lt.grad(loss, [1]));
      const args = shapes.map((s, i) =>
        lt.tensor(randomFloats(s, i + 20, 1).data, { shape: s }),
      ) as Parameters<typeof loss>;
      const { instructions } = step.program(...args);
      const made = instructions.flatMap((i) =>
        i.kind === 'op' && i.prologues.some((p) => p !== null) ? [i.op] : [],
      );
      expect(made).toEqual(backend === kinds.shared ? [] : ['conv', 'convGradWeight']);
      results.push((await Promise.all(step(...args).map((g: lt.Tensor) => g.data()))) as Float32Array[]);
    }
    lt.useBackend(null);
    for (const got of results.slice(1))
      got.forEach((g, i) => {
        expect(distance(g, results[0][i])).toBeLessThan(1e-5);
      });
  });
  it('round to halves where the operand is of halves', async () => {
    // The reference rounds the same values; the result is rounded once more, from sums that differ in float32's last places.
    for (const c of HALVES) await compare(c, kinds.shared, 2 ** -10);
  });
});

describeDawn('prologues as WGSL', () => {
  it('are valid on every kind of device', async () => {
    expect(await problemsOf([...DOTS, ...CONVOLUTIONS, ...HALVES].map((c) => c.program))).toEqual([]);
  });
});

it('prologues are part of the kernel as far as its buffers reach, beyond that kernels before it', () => {
  const labels = (c: Case, storageBuffers = 8) =>
    lower(c.program, { ...PORTABLE, storageBuffers }).kernels.map((k) => k.label);
  const plain = dot(1, 64, 64, 32, 0, 0);
  expect(labels(plain)).toEqual(['dot']);
  expect(labels(plain, 6)).toEqual(['dot']);
  expect(labels(plain, 5)).toEqual(['prologue', 'dot']);
  expect(labels(dot(1, 64, 64, 32, 0, 0, { epilogue: true }))).toEqual(['dot']);
  expect(labels(dot(1, 64, 64, 32, 0, 0, { epilogue: true }), 6)).toEqual(['dot', 'dot epilogue']);
  const [conv] = convolutions(8, 8, 1);
  expect(labels(conv)).toEqual(['conv']);
  const bound: Result[] = conv.inputs.slice(0, 5).map(({ shape, dtype }) => ({ shape, dtype }));
  expect(lower(conv.program, PORTABLE).kernels[0].bindings.length).toBe(bound.length + 1);
});
