// Work on rows as one kernel: whatever chain of reductions and maps along rows, at any length, on any kind of device, it
// does what the instructions do one by one. Expected values are the reference backend's, of the instructions one by one.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capabilities } from '../../engine/backend.ts';
import { bytesOf, type DType, type Shape, sizeOf, stridesOf } from '../../engine/dtype.ts';
import { fuseRows } from '../../engine/graph/rows.ts';
import type { Instruction, Loop, Operand, Program, Slot, Step, View } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { capabilitiesOf } from '../../kernels/capabilities.ts';
import { lower } from '../../kernels/lower.ts';
import { PORTABLE, type Traits } from '../../kernels/lowering.ts';
import {
  distance,
  execute,
  float,
  int,
  loopInstruction,
  program,
  randomFloats,
  sameBits,
  step,
  type Value,
} from '../native/support.ts';
import { describeDawn, describeGpu, open } from './support.ts';
import { problemsOf } from './valid.ts';

const reference = createReferenceBackend();

/** What the machine's adapter is taken for. */
const KINDS: Readonly<Record<string, Partial<Traits>>> = {
  software: {},
  'software without subgroups': { subgroup: 0 },
  hardware: { software: false },
  'hardware without subgroups': { software: false, subgroup: 0 },
  'hardware with few buffers': { software: false, storageBuffers: 4 },
};

// biome-ignore lint/suspicious/noExplicitAny: operations of any arity
type Op = (...xs: any[]) => unknown;

/** The program of an operation as a backend of these capabilities gets it. */
function programOf(
  f: Op,
  values: readonly Value[],
  can: Capabilities = capabilitiesOf(PORTABLE),
  donate: number[] = [],
): Program {
  lt.useBackend(createReferenceBackend(can));
  const tensors = values.map((v) => lt.tensor(v.data as Float32Array, { shape: v.shape, dtype: v.dtype }));
  const p = lt.jit(f as never, { donate }).program(...tensors);
  lt.useBackend(null);
  return p;
}
/** What a program of single instructions becomes. */
const fused = (p: Program, can: Capabilities): Program => ({
  ...p,
  instructions: fuseRows(p.slots, p.instructions, can),
});
const apart: Capabilities = { ...capabilitiesOf(PORTABLE), rows: null };
const labels = (p: Program, traits: Traits = PORTABLE): string[] =>
  lower(p, traits).kernels.map((k) => k.label);

const layerNorm: Op = (x, scale, shift) => lt.layerNorm(x, { scale, shift });
const lossGradient: Op = lt.grad((x: lt.Tensor, y: lt.Tensor) => lt.crossEntropy(x, y)) as Op;
const softmaxPullback: Op = (x, dy) => (lt.vjp((z: lt.Tensor) => lt.softmax(z), x)[1] as Op)(dy);
/** Several results of one row, each needing exponentials again. */
const entropy: Op = (x) => {
  const [p, logp] = [lt.softmax(x), lt.logSoftmax(x)];
  return [p, logp, p.mul(x), p.mul(logp).sum(-1).neg()];
};
const attentionGradient: Op = lt.grad(
  (q: lt.Tensor, k: lt.Tensor, v: lt.Tensor, mask: lt.Tensor) =>
    lt.attention(q, k, v, { mask }).square().sum(),
  [0, 1, 2],
) as Op;

const labelsFor = (rows: number, columns: number): Value =>
  int(
    [rows],
    Array.from({ length: rows }, (_, r) => (r * 7) % columns),
  );

describe('what becomes one kernel', () => {
  const x = randomFloats([64, 48], 1);
  const channel = randomFloats([48], 2);
  const head = randomFloats([2, 3, 16, 8], 3);
  const mask: Value = {
    shape: [16, 16],
    dtype: 'bool',
    data: Uint32Array.from({ length: 256 }, (_, i) => i % 2),
  };

  it.each<[string, Op, Value[], string[]]>([
    ['softmax', (z) => lt.softmax(z), [x], ['rows']],
    ['log-softmax', (z) => lt.logSoftmax(z), [x], ['rows']],
    ['logsumexp', (z) => lt.logsumexp(z, -1), [x], ['rows']],
    ['variance', (z) => lt.variance(z, -1), [x], ['rows']],
    ['layer normalisation', layerNorm, [x, channel, channel], ['rows']],
    ['group normalisation', (z) => lt.groupNorm(z, 4), [randomFloats([2, 4, 4, 16], 4)], ['rows']],
    ['softmax, its logarithm and entropy', entropy, [x], ['rows']],
    ["softmax's gradient, with its forward pass", softmaxPullback, [x, x], ['rows']],
    // The labels' gather stands between the rows of logits and the row of losses.
    [
      'cross-entropy',
      (z, y) => lt.crossEntropy(z, y),
      [x, labelsFor(64, 48)],
      ['rows', 'gatherAlong', 'rows'],
    ],
    // The constant that is scattered to the labels, written out; then logits, labels and all in one pass.
    ["cross-entropy's gradient", lossGradient, [x, labelsFor(64, 48)], ['loop', 'scatterAlong', 'rows']],
    // Scale and mask ride on the product.
    [
      'attention',
      (q, k, v, m) => lt.attention(q, k, v, { mask: m }),
      [head, head, head, mask],
      ['dot', 'rows', 'dot'],
    ],
    // Two products for each of the two forward ones, softmax's gradient with scale and mask between them.
    [
      "attention's gradient",
      attentionGradient,
      [head, head, head, mask],
      ['dot', 'rows', 'dot', 'dot', 'dot', 'rows', 'dot', 'dot'],
    ],
  ])('%s', (_, f, values, want) => {
    const p = programOf(f, values);
    expect(labels(p)).toEqual(want);
    // Every instruction has its kernel, and a profile finds it.
    const { owners } = lower(p, PORTABLE);
    expect([...new Set(owners)].sort((a, b) => a - b)).toEqual(p.instructions.map((_i, n) => n));
  });

  it('few and long rows are left to kernels that cut them into pieces', () => {
    const long = programOf((z) => lt.softmax(z), [randomFloats([4, 100_000], 1)]);
    expect(labels(long)).not.toContain('rows');
    const many = programOf((z) => lt.softmax(z), [randomFloats([300, 20_000], 1)]);
    expect(labels(many)).toEqual(['rows']);
  });

  it('what binds too many buffers stays apart', () => {
    const f: Op = (z, ...others) =>
      others.reduce((sum: lt.Tensor, o: lt.Tensor) => sum.add(o), lt.softmax(z));
    const p = programOf(
      f,
      Array.from({ length: 9 }, (_, i) => randomFloats([8, 16], i)),
    );
    const { kernels } = lower(p, PORTABLE);
    expect(kernels.length).toBeGreaterThan(1);
    for (const k of kernels) expect(k.bindings.length).toBeLessThanOrEqual(PORTABLE.storageBuffers);
  });

  it('a value between two reductions of other axes is not one of rows', () => {
    expect(labels(programOf((z) => lt.softmax(z, 0), [x]))).not.toContain('rows');
  });
});

// ---- random chains ---------------------------------------------------------------------------------------------------

type Pick3 = { readonly a: number; readonly b: number; readonly kind: number };

/** A program of instructions over rows, each reading inputs and whatever was made before; some results are thrown away. */
function chain(
  kept: number[],
  row: number[],
  picks: readonly Pick3[],
  outside: number,
): { p: Program; values: Value[] } {
  const shape = [...kept, ...row];
  const axes = row.map((_, d) => kept.length + d);
  const values = [
    randomFloats(shape, 1, 1),
    randomFloats(shape, 2, 1),
    randomFloats(kept, 3, 1),
    randomFloats(row, 4, 1),
  ];
  const rowMajor = stridesOf(shape);
  const dense = { strides: rowMajor, offset: 0 };
  const perRow = { strides: shape.map((_, d) => (d < kept.length ? stridesOf(kept)[d] : 0)), offset: 0 };
  const along = {
    strides: shape.map((_, d) => (d < kept.length ? 0 : stridesOf(row)[d - kept.length])),
    offset: 0,
  };
  const flipped = { strides: rowMajor.map((s) => -s), offset: sizeOf(shape) - 1 };
  const views: View[] = [dense, dense, perRow, along].map((v, i) => ({ slot: i, dtype: 'float32', ...v }));
  views.push({ slot: 1, dtype: 'float32', ...flipped });
  // Whoever reads results backwards has to wait until all of them are there.
  const backwards = { strides: perRow.strides.map((s) => -s), offset: Math.max(0, sizeOf(kept) - 1) };
  const slots: { -readonly [K in keyof Slot]: Slot[K] }[] = values.map((v, index) => ({
    kind: 'input',
    dtype: v.dtype,
    size: sizeOf(v.shape),
    index,
    offset: 0,
  }));
  const instructions: Instruction[] = [];
  const temporary = (s: Shape): number =>
    slots.push({ kind: 'temporary', dtype: 'float32', size: sizeOf(s), index: -1, offset: 0 }) - 1;
  for (const { a, b, kind } of picks) {
    const [x, y] = [views[a % views.length], views[b % views.length]];
    // Bounded, so that errors do not grow along the chain.
    const steps: Step[] = [step('mul', [0, 1]), step('add', [2, 1]), step('tanh', [3])];
    const loop = (more: Partial<Loop>): Loop => ({
      shape,
      inputs: [x, y],
      steps,
      stores: [],
      reductions: [],
      ...more,
    });
    const operand = (slot: number, s: Shape): Operand => ({ slot, shape: s, dtype: 'float32' });
    const whole = x.strides === dense.strides;
    if (kind === 0 || (kind > 3 && !whole)) {
      const slot = temporary(shape);
      instructions.push(loopInstruction(loop({ stores: [{ value: 4, slot }] })));
      views.push({ slot, dtype: 'float32', ...dense }, { slot, dtype: 'float32', ...flipped });
    } else if (kind === 1) {
      const [slot, top] = [temporary(kept), temporary(kept)];
      const scale = [...steps, step('full', [], 'float32', 1 / sizeOf(row)), step('mul', [4, 5])];
      const reductions = [
        { op: 'sum' as const, value: 6, axes, slot },
        { op: 'max' as const, value: 4, axes, slot: top },
      ];
      instructions.push(loopInstruction(loop({ steps: scale, reductions })));
      for (const s of [slot, top]) views.push({ slot: s, dtype: 'float32', ...perRow });
      views.push({ slot: top, dtype: 'float32', ...backwards });
    } else if (kind === 2) {
      const [slot, low] = [temporary(shape), temporary(kept)];
      const reductions = [{ op: 'min' as const, value: 4, axes, slot: low }];
      instructions.push(loopInstruction(loop({ stores: [{ value: 4, slot }], reductions })));
      views.push({ slot, dtype: 'float32', ...dense }, { slot: low, dtype: 'float32', ...perRow });
    } else if (kind === 3) {
      // One value for each row, of those there are.
      const rows = views.filter((v) => v.strides === perRow.strides);
      const own = [rows[a % rows.length], rows[b % rows.length]];
      const inputs = own.map((v) => ({ ...v, strides: stridesOf(kept) }));
      const slot = temporary(kept);
      instructions.push(
        loopInstruction({ shape: kept, inputs, steps, stores: [{ value: 4, slot }], reductions: [] }),
      );
      views.push({ slot, dtype: 'float32', ...perRow });
    } else if (kind === 4) {
      const [mean, variance] = [temporary(kept), temporary(kept)];
      instructions.push({
        kind: 'op',
        op: 'moments',
        params: { axes },
        inputs: [operand(x.slot, shape)],
        outputs: [operand(mean, kept), operand(variance, kept)],
        prologues: [],
        epilogue: null,
      });
      for (const s of [mean, variance]) views.push({ slot: s, dtype: 'float32', ...perRow });
    } else {
      const top = temporary(kept);
      instructions.push({
        kind: 'op',
        op: 'max',
        params: { axes },
        inputs: [operand(x.slot, shape)],
        outputs: [operand(top, kept)],
        prologues: [],
        epilogue: null,
      });
      views.push({ slot: top, dtype: 'float32', ...perRow });
    }
  }
  // The last result is an output, and so are some of the others.
  let [outputs, arenaBytes] = [0, 0];
  slots.forEach((s, n) => {
    if (s.kind === 'input') return;
    if (n === slots.length - 1 || (outside >> (n % 8)) & 1) {
      s.kind = 'output';
      s.index = outputs++;
    } else {
      s.offset = arenaBytes;
      arenaBytes += Math.ceil((s.size * bytesOf(s.dtype)) / 256) * 256;
    }
  });
  return { p: program({ slots, instructions, arenaBytes }), values };
}

const SIZES = [1, 2, 3, 4, 5, 7, 8, 12, 31, 64, 100, 257];
const chains = fc.record({
  kept: fc.array(fc.constantFrom(1, 2, 3, 5, 9, 40), { minLength: 0, maxLength: 2 }),
  row: fc.array(fc.constantFrom(...SIZES), { minLength: 1, maxLength: 2 }),
  picks: fc.array(fc.record({ a: fc.nat(99), b: fc.nat(99), kind: fc.nat(5) }), {
    minLength: 2,
    maxLength: 6,
  }),
  outside: fc.nat(255),
});

/** Rows, and elements of each: one, odd ones, some that stay in registers and some that do not. */
const LENGTHS = [
  [1, 1],
  [5, 1],
  [1, 7],
  [70, 33],
  [2, 1000],
  [9, 1001],
  [2, 4099],
  [17, 20_000],
] as const;

describeDawn('rows without a GPU', () => {
  it('their kernels are valid on every kind of device', async () => {
    const programs = fc
      .sample(chains, { numRuns: 40, seed: 12 })
      .map(({ kept, row, picks, outside }) =>
        fused(chain(kept, row, picks, outside).p, capabilitiesOf(PORTABLE)),
      );
    for (const [rows, columns] of LENGTHS) {
      const x = randomFloats([rows, columns], 1);
      programs.push(
        programOf(softmaxPullback, [x, x]),
        programOf(lossGradient, [x, labelsFor(rows, columns)]),
      );
    }
    expect(programs.some((p) => labels(p).includes('rows'))).toBe(true);
    expect(await problemsOf(programs)).toEqual([]);
  });
});

describe.each(Object.entries(KINDS))('rows on %s', (_kind, limits) => {
  describeGpu('a device', () => {
    let gpu: WebGpuBackend;
    beforeAll(async () => {
      gpu = await open({ limits });
    });
    afterAll(async () => {
      await gpu.close();
    });

    /** Both do the device's plan; `single` is what it was made from. */
    const compare = async (
      single: Program,
      p: Program,
      values: readonly Value[],
      bound: number,
    ): Promise<void> => {
      const want = await execute(reference, single, values);
      (await execute(reference, p, values)).forEach((x, k) => {
        expect(distance(x, want[k])).toBeLessThanOrEqual(bound);
      });
      const got = await execute(gpu, p, values);
      got.forEach((g, k) => {
        expect(distance(g, want[k])).toBeLessThanOrEqual(bound);
      });
      expect(sameBits(await execute(gpu, p, values), got)).toBe(true);
    };

    const check = (f: Op, values: readonly Value[], bound: number): Promise<void> =>
      compare(programOf(f, values, apart), programOf(f, values, gpu.capabilities), values, bound);

    it('random chains do what their instructions do, the same bits each time', async () => {
      await fc.assert(
        fc.asyncProperty(chains, async ({ kept, row, picks, outside }) => {
          const { p, values } = chain(kept, row, picks, outside);
          // A factor below 2 a step, and means of as many terms as a row has.
          await compare(
            p,
            fused(p, gpu.capabilities),
            values,
            2 ** picks.length * 2 ** -23 * (16 + 2 * Math.sqrt(sizeOf(row))),
          );
        }),
        { numRuns: 12, seed: 11 },
      );
    });

    it.each(LENGTHS)('softmax, its gradient and normalisation of %i rows of %i', async (rows, columns) => {
      const [x, dy] = [randomFloats([rows, columns], 5, 4), randomFloats([rows, columns], 6)];
      const channel = randomFloats([columns], 7);
      // exp errs by 3 units, sums of n positive terms by as many as their order differs.
      const bound = 2 ** -23 * (64 + 4 * Math.sqrt(columns));
      await check((z) => lt.softmax(z), [x], bound);
      await check((z) => lt.logSoftmax(z), [x], bound);
      await check(softmaxPullback, [x, dy], bound);
      await check(entropy, [x], bound);
      if (columns > 1) await check(layerNorm, [x, channel, channel], bound);
      const y = labelsFor(rows, columns);
      await check(lossGradient, [x, y], bound);
    });

    it('keeps NaN and infinities as the engine has them', async () => {
      const [i, n] = [Number.POSITIVE_INFINITY, Number.NaN];
      const rows = [
        [1, n, 2, 3, 4],
        [1, i, 2, 3, 4],
        [1, -i, 2, 3, 4],
        [-i, -i, -i, -i, -i],
        [i, -i, 0, 1, 2],
        [1e30, -1e30, 1e30, 0, 1],
        [0, -0, 0, -0, 0],
      ];
      const x = float([7, 5], rows.flat());
      for (const f of [
        (z: lt.Tensor) => lt.softmax(z),
        (z: lt.Tensor) => lt.logSoftmax(z),
        (z: lt.Tensor) => lt.logsumexp(z, -1),
        (z: lt.Tensor) => lt.layerNorm(z),
        (z: lt.Tensor) => [z.max(-1), z.min(-1), z.sub(z.max(-1, true))],
      ])
        await check(f, [x], 64 * 2 ** -23);
    });

    it('integers wrap and have extremes of their own', async () => {
      const x = int(
        [6, 37],
        Array.from({ length: 6 * 37 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) | 0),
      );
      const f: Op = (z) => [z.sub(z.max(-1, true)).sum(-1), z.sub(z.min(-1, true))];
      const p = programOf(f, [x], gpu.capabilities);
      const [sums, above] = await execute(gpu, p, [x]);
      for (let r = 0; r < 6; r++) {
        const row = [...x.data.slice(r * 37, (r + 1) * 37)];
        const [low, high] = [Math.min(...row), Math.max(...row)];
        expect(sums[r]).toBe(row.reduce((sum, v) => (sum + ((v - high) | 0)) | 0, 0));
        expect([...above.slice(r * 37, (r + 1) * 37)]).toEqual(row.map((v) => (v - low) | 0));
      }
    });

    it('an empty domain is left alone', async () => {
      for (const shape of [
        [0, 4],
        [4, 0],
      ]) {
        const x = float(shape, []);
        await check((z) => lt.softmax(z), [x], 0);
        await check((z) => lt.sum(z, -1).add(1), [x], 0);
      }
    });

    it('writes over what was given away only when the row was read for the last time', async () => {
      for (const columns of [12, 5000]) {
        const x = randomFloats([19, columns], 8);
        const p = programOf((z) => lt.softmax(z), [x], gpu.capabilities, [0]);
        expect(p.donations).toEqual([[0, 0]]);
        const want = await execute(
          reference,
          programOf((z) => lt.softmax(z), [x]),
          [x],
        );
        const [got] = await execute(gpu, p, [x]);
        expect(distance(got, want[0])).toBeLessThan(2 ** -23 * (64 + 4 * Math.sqrt(columns)));
      }
    });

    it('what is known early is not written over what is read late', async () => {
      // m = the sum of each row of x, then x = x * x in place, and y = x + m.
      const [rows, columns] = [18, 5000];
      const x = randomFloats([rows, columns], 10);
      const shape = [rows, columns];
      const whole = { slot: 0, dtype: 'float32' as const, strides: [columns, 1], offset: 0 };
      const slots: Slot[] = (['input', 'output', 'output', 'temporary'] as const).map((kind, n) => ({
        kind,
        dtype: 'float32',
        size: n === 3 ? rows : rows * columns,
        index: n === 3 ? -1 : Math.max(0, n - 1),
        offset: 0,
      }));
      const sum = { op: 'sum' as const, value: 0, axes: [1], slot: 3 };
      const inPlace = {
        shape,
        inputs: [whole, { ...whole, slot: 3, strides: [1, 0] }],
        steps: [step('mul', [0, 0]), step('add', [0, 1])],
        stores: [
          { value: 2, slot: 1 },
          { value: 3, slot: 2 },
        ],
        reductions: [],
      };
      const p = program({
        slots,
        arenaBytes: 256,
        instructions: [
          loopInstruction({ shape, inputs: [whole], steps: [], stores: [], reductions: [sum] }),
          loopInstruction(inPlace),
        ],
      });
      const given = { ...fused(p, gpu.capabilities), donations: [[0, 0]] as [number, number][] };
      if (gpu.traits.storageBuffers >= 8 && gpu.traits.software) expect(given.instructions.length).toBe(1);
      const want = await execute(reference, p, [x]);
      (await execute(gpu, given, [x])).forEach((got, k) => {
        expect(distance(got, want[k])).toBeLessThan(2 ** -23 * (64 + 4 * Math.sqrt(columns)));
      });
    });

    it('halves are stored as halves, statistics in float32', async () => {
      if (!gpu.traits.half) return;
      const half = (shape: Shape, seed: number): Value => ({
        ...randomFloats(shape, seed),
        dtype: 'float16' as DType,
      });
      const x = half([6, 50], 9);
      for (const f of [(z: lt.Tensor) => lt.softmax(z), (z: lt.Tensor) => lt.layerNorm(z)]) {
        const p = programOf(f, [x], gpu.capabilities);
        if (limits.storageBuffers === undefined) expect(labels(p, gpu.traits)).toEqual(['rows']);
        // A unit in the last place of a half, for values below 4.
        await check(f, [x], 2 ** -9);
      }
    });
  });
});
