import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf, stridesOf } from '../../engine/dtype.ts';
import type { Loop, Step, View } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import {
  distance,
  execute,
  float,
  int,
  loopInstruction,
  MOMENTUM_DONATIONS,
  momentumLoop,
  program,
  randomFloats,
  runSteps,
  sameBits,
  slot,
  step,
  type Value,
} from '../native/support.ts';
import { describeGpu, open } from './support.ts';

const reference = createReferenceBackend();

function loopProgram(
  loop: Loop,
  values: readonly Value[],
  outputs: readonly { shape: Shape; dtype: DType }[],
) {
  return program({
    slots: [...values.map((v, i) => slot('input', v, i)), ...outputs.map((o, i) => slot('output', o, i))],
    instructions: [loopInstruction(loop)],
  });
}

// A random domain with inputs that are broadcast, transposed, sliced and flipped, and a random chain over them, some
// values of which are stored and some reduced.
const BINARY: Step['op'][] = ['add', 'sub', 'mul', 'maximum', 'minimum'];
const UNARY: Step['op'][] = ['relu', 'neg', 'abs', 'tanh', 'sigmoid'];
const cases = (inputs: number) =>
  fc
    .record({
      shape: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }),
      widen: fc.integer({ min: 0, max: 3 }),
      inputs: fc.array(fc.record({ kind: fc.integer({ min: 0, max: 4 }), seed: fc.nat(1000) }), {
        minLength: inputs,
        maxLength: inputs + 3,
      }),
      ops: fc.array(
        fc.record({
          op: fc.constantFrom(...BINARY, ...UNARY, 'full' as const),
          a: fc.nat(100),
          b: fc.nat(100),
        }),
        { maxLength: 2 * inputs + 6 },
      ),
      stored: fc.nat(100),
      axes: fc.nat(15),
    })
    .map(({ shape: small, widen, inputs, ops, stored, axes: mask }) => {
      const shape = small.map((n, d) => (d === widen ? n * 61 : n));
      const values: Value[] = [];
      const views: View[] = inputs.map(({ kind, seed }, i) => {
        const own = shape.map((n, d) => (kind === 1 && (seed >> d) & 1 ? 1 : n));
        const perm = shape.map((_, d) => d);
        if (kind === 2) perm.reverse();
        const kept = perm.map((d) => own[d] * (kind === 3 ? 2 : 1));
        const strides = stridesOf(kept);
        const view = { slot: i, dtype: 'float32' as DType, offset: 0, strides: shape.map(() => 0) };
        perm.forEach((d, k) => {
          const s = own[d] === 1 ? 0 : strides[k] * (kind === 3 ? 2 : 1);
          view.strides[d] = kind === 4 && own[d] > 1 ? -s : s;
          if (kind === 4 && own[d] > 1) view.offset += (own[d] - 1) * s;
        });
        values.push(randomFloats(kept, seed + i, 1));
        return view;
      });
      const steps: Step[] = ops.map(({ op, a, b }, k) => {
        const n = views.length + k;
        if (op === 'full') return step('full', [], 'float32', (a - 50) / 64);
        return step(op, UNARY.includes(op) ? [a % n] : [a % n, b % n]);
      });
      // One value that depends on every input, so that wide loops are wide.
      for (let i = 0; i < views.length; i++)
        steps.push(
          step('add', [
            i,
            views.length + steps.length - 1 < views.length ? i : views.length + steps.length - 1,
          ]),
        );
      const n = views.length + steps.length;
      const axes = shape.flatMap((_, d) => ((mask >> d) & 1 ? [d] : []));
      const results = [n - 1, stored % n];
      const first = views.length;
      const loop: Loop = {
        shape,
        inputs: views,
        steps,
        stores: [...new Set(results)].map((value, k) => ({ value, slot: first + k })),
        reductions: (['sum', 'max', 'min'] as const).map((op, k) => ({
          op,
          value: results[k % 2],
          axes,
          slot: first + new Set(results).size + k,
        })),
      };
      const kept = shape.filter((_, d) => !axes.includes(d));
      const outputs = [
        ...loop.stores.map(() => ({ shape, dtype: 'float32' as DType })),
        ...loop.reductions.map(() => ({ shape: kept, dtype: 'float32' as DType })),
      ];
      return { values, loop, outputs, terms: sizeOf(shape) / Math.max(1, sizeOf(kept)) };
    });

describeGpu('loops', () => {
  let gpu: Backend;
  let narrow: Backend;
  beforeAll(async () => {
    gpu = await open();
    narrow = await open({ limits: { storageBuffers: 4 } });
  });
  afterAll(async () => {
    await gpu.close();
    await narrow.close();
  });

  const agreesWithReference = async (
    backend: Backend,
    c: { values: Value[]; loop: Loop; outputs: { shape: Shape; dtype: DType }[]; terms: number },
  ) => {
    const p = loopProgram(c.loop, c.values, c.outputs);
    const want = await execute(reference, p, c.values);
    const got = await execute(backend, p, c.values);
    const bound = Math.max(
      1,
      ...want.map((w) =>
        Array.from(w).reduce((m, x) => Math.max(m, Number.isFinite(x) ? Math.abs(x) : 0), 0),
      ),
    );
    got.forEach((g, k) => {
      expect(distance(g, want[k]) / bound).toBeLessThan(4e-6 * Math.max(1, c.terms));
    });
    expect(sameBits(await execute(backend, p, c.values), got)).toBe(true);
  };

  it('computes random chains over random views, stored and reduced, the same bits each time', async () => {
    await fc.assert(
      fc.asyncProperty(cases(1), (c) => agreesWithReference(gpu, c)),
      { numRuns: 25, seed: 7 },
    );
  });

  it('cuts loops that touch more buffers than a kernel may bind', async () => {
    await fc.assert(
      fc.asyncProperty(cases(5), (c) => agreesWithReference(narrow, c)),
      { numRuns: 12, seed: 8 },
    );
  });

  it('writes in place over inputs that were given away, also where the loop is cut', async () => {
    // v' = 0.9 v + g, p' = p - v', both donated; v' p' beside them.
    const n = 1000;
    const [p, v, g] = [1, 2, 3].map((s) => randomFloats([n], s));
    const loop = momentumLoop(n);
    const donating = {
      ...loopProgram(loop, [p, v, g], [p, v, p]),
      donations: MOMENTUM_DONATIONS,
    };
    const want = await execute(reference, loopProgram(loop, [p, v, g], [p, v, p]), [p, v, g]);
    for (const backend of [gpu, narrow]) {
      const got = await execute(backend, donating, [p, v, g]);
      got.forEach((x, k) => {
        expect(distance(x, want[k])).toBeLessThan(1e-6);
      });
    }
  });

  it('handles empty domains', async () => {
    const out = { shape: [3], dtype: 'float32' as DType };
    const loop: Loop = {
      shape: [0, 3],
      inputs: [{ slot: 0, dtype: 'float32', strides: [3, 1], offset: 0 }],
      steps: [],
      stores: [],
      reductions: (['sum', 'max', 'min'] as const).map((op, k) => ({ op, value: 0, axes: [0], slot: k + 1 })),
    };
    const empty = float([0, 3], []);
    const got = await execute(gpu, loopProgram(loop, [empty], [out, out, out]), [empty]);
    expect(got.map((g) => g[0])).toEqual([0, -Infinity, Infinity]);
  });

  // ---- one operation ---------------------------------------------------------------------------------------------------

  const special = [0, -0, 1, -1, 0.5, -0.5, NaN, Infinity, -Infinity, 3.4e38, -3.4e38, 1e-37];
  const points = [...special, ...randomFloats([400], 5, 30).data, ...randomFloats([400], 6, 1).data];
  const x = float([points.length], points);
  const UNARIES: Step['op'][] = [
    ...(['neg', 'abs', 'sign', 'exp', 'log', 'log1p', 'expm1', 'sqrt', 'rsqrt', 'tanh', 'sigmoid'] as const),
    ...(['erf', 'sin', 'cos', 'floor', 'relu'] as const),
  ];
  it('elementary functions are within 6 units in the last place, NaN and infinities included', async () => {
    for (const op of UNARIES) {
      const got = await runSteps(gpu, x.shape, [x], [step(op, [0])]);
      const want = await runSteps(reference, x.shape, [x], [step(op, [0])]);
      got.forEach((g, i) => {
        const w = want[i];
        if ((op === 'sin' || op === 'cos') && Math.abs(x.data[i]) > 1e4) return;
        // Subnormal results may be flushed; sin and cos are as close as their argument's reduction.
        const room = Math.max(1.2e-38, Math.abs(w) * 6 * 2 ** -23, op === 'sin' || op === 'cos' ? 3e-7 : 0);
        const same = Object.is(g, w) || g === w || Math.abs(g - w) <= room;
        if (!same) expect.fail(`${op}(${x.data[i]}) is ${g}, expected ${w}`);
      });
    }
  });

  it('pow agrees with Math.pow', async () => {
    const bases = [...special, 2, -2, 3, -3, 0.1, 10, ...randomFloats([40], 9, 20).data];
    const exponents = [...special, 2, 3, -2, -3, 0.5, 7, ...randomFloats([20], 8, 10).data];
    const a = float([bases.length, 1], bases);
    const b = float([1, exponents.length], exponents);
    const shape = [bases.length, exponents.length];
    const got = await runSteps(gpu, shape, [a, b], [step('pow', [0, 1])]);
    got.forEach((g, at) => {
      const [p, q] = [a.data[Math.floor(at / exponents.length)], b.data[at % exponents.length]];
      const w = Math.fround(p ** q);
      const room = Math.max(1.2e-38, Math.abs(w) * 2 ** -23 * (6 + Math.abs(q * Math.log(Math.abs(p)))));
      if (!(Object.is(g, w) || g === w || Math.abs(g - w) <= room))
        expect.fail(`${p} ** ${q} is ${g}, expected ${w}`);
    });
  });

  it('converts with truncation and saturation, and does integer arithmetic that wraps and never traps', async () => {
    const f = float([8], [1.9, -1.9, NaN, 3e9, -3e9, 5e9, 0, -0.5]);
    const to = (dtype: DType) => runSteps(gpu, [8], [f], [step('convert', [0], dtype)]);
    expect([...(await to('int32'))]).toEqual([1, -1, 0, 2147483647, -2147483648, 2147483647, 0, 0]);
    expect([...(await to('uint32'))]).toEqual([1, 0, 0, 3000000000, 0, 4294967295, 0, 0]);
    expect([...(await to('bool'))]).toEqual([1, 1, 1, 1, 1, 1, 0, 1]);
    const a = int([6], [7, -7, 5, -2147483648, 2147483647, 3]);
    const b = int([6], [2, 2, 0, -1, 1, -1]);
    const run = (op: Step['op'], dtype: DType = 'int32') =>
      runSteps(gpu, [6], [a, b], [step(op, [0, 1], dtype)]);
    expect([...(await run('div'))]).toEqual([3, -3, 0, -2147483648, 2147483647, -3]);
    expect([...(await run('add'))]).toEqual([9, -5, 5, 2147483647, -2147483648, 2]);
    expect([...(await run('mul'))]).toEqual([14, -14, 0, -2147483648, 2147483647, -3]);
    expect([...(await run('less', 'bool'))]).toEqual([0, 1, 0, 1, 0, 0]);
  });

  it('compares, selects and keeps NaN as the engine says', async () => {
    const a = float([4], [NaN, 1, NaN, -1]);
    const b = float([4], [1, NaN, NaN, 2]);
    for (const op of ['maximum', 'minimum', 'less', 'lessEqual', 'equal'] as const) {
      const dtype: DType = op === 'maximum' || op === 'minimum' ? 'float32' : 'bool';
      expect([...(await runSteps(gpu, [4], [a, b], [step(op, [0, 1], dtype)]))]).toEqual([
        ...(await runSteps(reference, [4], [a, b], [step(op, [0, 1], dtype)])),
      ]);
    }
  });
});
