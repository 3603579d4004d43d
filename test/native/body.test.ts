import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf, stridesOf } from '../../engine/dtype.ts';
import type { Loop, Step, View } from '../../engine/program.ts';
import { createCpuBackend } from '../../native/backend.ts';
import {
  describeCpu,
  distance,
  execute,
  float,
  forEachIndex,
  int,
  loopInstruction,
  MOMENTUM_DONATIONS,
  momentumLoop,
  program,
  random,
  randomFloats,
  runSteps,
  sameBits,
  slot,
  step,
  type Value,
  withThreads,
} from './support.ts';

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

const apply: Partial<Record<Step['op'], (...x: number[]) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  maximum: Math.max,
  minimum: Math.min,
  relu: (a) => Math.max(a, 0),
  neg: (a) => -a,
  abs: Math.abs,
};

// Reads a view, in double.
const at = (v: Value, view: View, index: readonly number[]): number => {
  let i = view.offset;
  for (let d = 0; d < index.length; d++) i += index[d] * view.strides[d];
  return v.data[i];
};

function interpret(loop: Loop, inputs: readonly Value[]): Float64Array[] {
  const all = Array.from(
    { length: inputs.length + loop.steps.length },
    () => new Float64Array(sizeOf(loop.shape)),
  );
  forEachIndex(loop.shape, (index, flat) => {
    const values = loop.inputs.map((v) => at(inputs[v.slot], v, index));
    for (const s of loop.steps)
      values.push(s.op === 'full' ? (s.value as number) : apply[s.op]!(...s.args.map((a) => values[a])));
    for (let k = 0; k < values.length; k++) all[k][flat] = values[k];
  });
  return all;
}

// A random domain with inputs that are broadcast, transposed, sliced and flipped, and a random chain over them.
const cases = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 0, maxLength: 4 }),
    widen: fc.integer({ min: 0, max: 3 }),
    inputs: fc.array(fc.record({ kind: fc.integer({ min: 0, max: 4 }), seed: fc.nat(1000) }), {
      minLength: 1,
      maxLength: 4,
    }),
    ops: fc.array(
      fc.record({
        op: fc.constantFrom<Step['op']>(
          'add',
          'sub',
          'mul',
          'maximum',
          'minimum',
          'relu',
          'neg',
          'abs',
          'full',
        ),
        a: fc.nat(100),
        b: fc.nat(100),
      }),
      { maxLength: 7 },
    ),
    stored: fc.nat(100),
    axes: fc.nat(15),
  })
  .map(({ shape: small, widen, inputs, ops, stored, axes }) => {
    // Now and then one long axis, so that blocks, chunks and tasks are cut.
    const shape = small.map((n, d) => (d === widen ? n * 311 : n));
    if (sizeOf(shape) > 60000) shape[widen] = 5;
    const values: Value[] = [];
    const views: View[] = inputs.map(({ kind, seed }, i) => {
      const own = shape.map((n, d) => (kind === 1 && (seed >> d) & 1 ? 1 : n));
      const perm = shape.map((_, d) => d);
      if (kind === 2) perm.reverse();
      const stored = perm.map((d) => own[d] * (kind === 3 ? 2 : 1));
      const strides = stridesOf(stored);
      const view = { slot: i, dtype: 'float32' as DType, offset: 0, strides: shape.map(() => 0) };
      for (let k = 0; k < perm.length; k++) {
        const d = perm[k];
        const s = own[d] === 1 ? 0 : strides[k] * (kind === 3 ? 2 : 1);
        view.strides[d] = kind === 4 && own[d] > 1 ? -s : s;
        if (kind === 4 && own[d] > 1) view.offset += (own[d] - 1) * s;
      }
      values.push(randomFloats(stored, seed + i, 2));
      return view;
    });
    const steps: Step[] = ops.map(({ op, a, b }, k) => {
      const n = views.length + k;
      if (op === 'full') return step('full', [], 'float32', (a - 50) / 16);
      return step(op, apply[op]!.length === 1 ? [a % n] : [a % n, b % n]);
    });
    const n = views.length + steps.length;
    return {
      values,
      loop: {
        shape,
        inputs: views,
        steps,
        stores: [...new Set([n - 1, stored % n])].map((value, k) => ({ value, slot: views.length + k })),
        reductions: [],
      } as Loop,
      axes: shape.flatMap((_, d) => ((axes >> d) & 1 ? [d] : [])),
    };
  });

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

describeCpu('loops', () => {
  it('computes random chains over random views', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ values, loop }) => {
        const expected = interpret(loop, values);
        const outputs = loop.stores.map(() => ({ shape: loop.shape, dtype: 'float32' as DType }));
        const got = await execute(cpu, loopProgram(loop, values, outputs), values);
        loop.stores.forEach((s, k) => {
          const bound = Math.max(1, ...expected.map((e) => e.reduce((m, x) => Math.max(m, Math.abs(x)), 0)));
          expect(distance(got[k], expected[s.value]) / bound).toBeLessThan(2e-6);
        });
      }),
      { numRuns: 100 },
    );
  });

  it('reduces values of random chains over any axes, with the same bits for any number of threads', async () => {
    await withThreads(1, (one) =>
      withThreads(3, (three) =>
        fc.assert(
          fc.asyncProperty(cases, async ({ values, loop, axes }) => {
            const all = interpret(loop, values);
            const kept = loop.shape.map((n, d) => (axes.includes(d) ? 1 : n));
            const strides = stridesOf(kept).map((s, d) => (axes.includes(d) ? 0 : s));
            const n = values.length + loop.stores.length;
            const ops = ['sum', 'max', 'min'] as const;
            const value = all.length - 1;
            const reduced: Loop = {
              ...loop,
              reductions: ops.map((op, k) => ({ op, value, axes, slot: n + k })),
            };
            const outputs = [
              ...loop.stores.map(() => ({ shape: loop.shape, dtype: 'float32' as DType })),
              ...ops.map(() => ({ shape: kept, dtype: 'float32' as DType })),
            ];
            const p = loopProgram(reduced, values, outputs);
            const got = await execute(cpu, p, values);
            const size = sizeOf(kept);
            const sums = new Float64Array(size);
            const weights = new Float64Array(size);
            const highs = new Float64Array(size).fill(-Infinity);
            const lows = new Float64Array(size).fill(Infinity);
            forEachIndex(loop.shape, (index, flat) => {
              const to = index.reduce((s, i, d) => s + i * strides[d], 0);
              const x = all[value][flat];
              sums[to] += x;
              weights[to] += 1;
              highs[to] = Math.max(highs[to], x);
              lows[to] = Math.min(lows[to], x);
            });
            const bound = Math.max(1, ...all.map((e) => e.reduce((m, x) => Math.max(m, Math.abs(x)), 0)));
            const [sum, max, min] = got.slice(loop.stores.length);
            for (let i = 0; i < size; i++)
              expect(Math.abs(sum[i] - sums[i])).toBeLessThanOrEqual(2e-6 * bound * weights[i]);
            expect(distance(max, highs) / bound).toBeLessThan(2e-6);
            expect(distance(min, lows) / bound).toBeLessThan(2e-6);
            for (const other of [one, three]) {
              const again = await execute(other, p, values);
              expect(sameBits(again, got)).toBe(true);
            }
          }),
          { numRuns: 50 },
        ),
      ),
    );
  });

  it('writes in place over an input of the identical view', async () => {
    // p' = p - v', v' = 0.9 v + g, both donated: the old v must survive until p' has been made.
    const n = 5000;
    const [p, v, g] = [1, 2, 3].map((s) => randomFloats([n], s));
    const loop = momentumLoop(n);
    const outputs = [p, v, p];
    const program = {
      ...loopProgram(loop, [p, v, g], outputs),
      donations: MOMENTUM_DONATIONS,
    };
    const [p2, v2, w] = await execute(cpu, program, [p, v, g]);
    const f = Math.fround;
    for (let i = 0; i < n; i++) {
      const nv = f(f(v.data[i] * f(0.9)) + g.data[i]);
      const np = f(p.data[i] - nv);
      expect([v2[i], p2[i], w[i]]).toEqual([nv, np, f(v.data[i] * np)]);
    }
  });

  it('rounds quotients by one divisor as the machine does', async () => {
    const bits = new Uint32Array(4096);
    const next = random(21);
    for (let i = 0; i < bits.length; i++) bits[i] = Math.floor(next() * 2 ** 32);
    const any = new Float32Array(bits.buffer);
    // Any numbers at all, and 512 at a time that a reciprocal may be used for: zeros, and sizes from 2^-50 to 2^50.
    const values = any.map((v, i) => {
      if (i & 512) return v;
      return i % 7 === 0 ? 0 : Math.fround((1 + Math.abs(next())) * 2 ** (Math.floor(next() * 100) - 50));
    });
    for (const divisor of [
      3,
      Math.fround(0.1),
      Math.fround(1 - 2 ** -24),
      -7,
      2 ** -80,
      2 ** 99,
      0,
      Infinity,
      NaN,
    ]) {
      const got = await runSteps(
        cpu,
        [4096],
        [float([4096], values), float([], [divisor])],
        [step('div', [0, 1])],
      );
      // The quotient in double precision, rounded once more, is the one in single precision.
      got.forEach((q, i) => {
        expect(q).toBe(Math.fround(values[i] / divisor));
      });
    }
  });

  it('swaps two buffers', async () => {
    const [a, b] = [randomFloats([3000], 1), randomFloats([3000], 2)];
    const views = [a, b].map((x, i) => ({ slot: i, dtype: x.dtype, strides: [1], offset: 0 }));
    const loop: Loop = {
      shape: [3000],
      inputs: views,
      steps: [],
      stores: [
        { value: 1, slot: 2 },
        { value: 0, slot: 3 },
      ],
      reductions: [],
    };
    const p = {
      ...loopProgram(loop, [a, b], [a, b]),
      donations: [
        [0, 0],
        [1, 1],
      ] as [number, number][],
    };
    const [x, y] = await execute(cpu, p, [a, b]);
    expect(x).toEqual(b.data);
    expect(y).toEqual(a.data);
  });

  it('handles empty domains', async () => {
    for (const shape of [
      [0, 3],
      [3, 0],
      [2, 0, 5],
    ])
      expect((await runSteps(cpu, shape, [float(shape, [])], [step('neg', [0])])).length).toBe(0);
    const loop: Loop = {
      shape: [0, 3],
      inputs: [{ slot: 0, dtype: 'float32', strides: [3, 1], offset: 0 }],
      steps: [],
      stores: [],
      reductions: [
        { op: 'sum', value: 0, axes: [0], slot: 1 },
        { op: 'max', value: 0, axes: [0], slot: 2 },
        { op: 'min', value: 0, axes: [0], slot: 3 },
      ],
    };
    const out = { shape: [3], dtype: 'float32' as DType };
    const got = await execute(cpu, loopProgram(loop, [float([0, 3], [])], [out, out, out]), [
      float([0, 3], []),
    ]);
    expect(got.map((g) => g[0])).toEqual([0, -Infinity, Infinity]);
  });
});

describeCpu('elementwise operations', () => {
  const special = [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    NaN,
    Infinity,
    -Infinity,
    1e-40,
    -1e-40,
    3.4e38,
    -3.4e38,
    1.4e-45,
  ];
  const values = [...special, ...randomFloats([3000], 5, 30).data, ...randomFloats([3000], 6, 1).data];
  const x = float([values.length], values);

  // Units in the last place of the exact result between it and what was computed.
  const ulps = (got: number, exact: number): number => {
    if (Object.is(got, exact) || got === Math.fround(exact)) return 0;
    if (Number.isNaN(got) && Number.isNaN(exact)) return 0;
    const bits = Math.max(-126, Math.floor(Math.log2(Math.abs(exact))));
    const d = Math.abs(got - exact) / 2 ** (bits - 23);
    return Number.isNaN(d) ? Infinity : d;
  };
  const erf = (v: number): number => {
    // Series for small, continued fraction for large arguments, in double.
    const a = Math.abs(v);
    if (Number.isNaN(v)) return v;
    if (a > 6) return Math.sign(v);
    if (a < 2.5) {
      let term = v;
      let sum = v;
      for (let n = 1; n < 80; n++) {
        term *= (-v * v) / n;
        sum += term / (2 * n + 1);
      }
      return (2 / Math.sqrt(Math.PI)) * sum;
    }
    let f = 0;
    for (let n = 60; n > 0; n--) f = n / 2 / (a + f);
    return Math.sign(v) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + f)));
  };
  const exact: Partial<Record<Step['op'], (a: number) => number>> = {
    neg: (a) => -a,
    abs: Math.abs,
    sign: Math.sign,
    exp: Math.exp,
    log: Math.log,
    log1p: Math.log1p,
    expm1: Math.expm1,
    sqrt: Math.sqrt,
    rsqrt: (a) => 1 / Math.sqrt(a),
    tanh: Math.tanh,
    sigmoid: (a) => (a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a))),
    erf,
    sin: Math.sin,
    cos: Math.cos,
    floor: Math.floor,
    relu: (a) => Math.max(a, 0),
  };
  for (const [op, f] of Object.entries(exact)) {
    it(`${op} is within 4 units in the last place, special values included`, async () => {
      const got = await runSteps(cpu, x.shape, [x], [step(op as Step['op'], [0])]);
      let worst = 0;
      let where = 0;
      for (let i = 0; i < got.length; i++) {
        const d = ulps(got[i], f(x.data[i]));
        if (d > worst) [worst, where] = [d, x.data[i]];
      }
      expect(worst, `at ${where}`).toBeLessThan(4);
    });
  }

  it('pow agrees with Math.pow', async () => {
    const bases = [
      ...special,
      2,
      -2,
      3,
      -3,
      0.1,
      10,
      1.0000001,
      0.9999999,
      ...randomFloats([200], 9, 20).data,
    ];
    const exponents = [...special, 2, 3, -2, -3, 0.5, 7, 16777217, -1e10, ...randomFloats([50], 8, 20).data];
    const a = float([bases.length, 1], bases);
    const b = float([1, exponents.length], exponents);
    const got = await runSteps(cpu, [bases.length, exponents.length], [a, b], [step('pow', [0, 1])]);
    let worst = 0;
    let where = '';
    forEachIndex([bases.length, exponents.length], ([i, j], flat) => {
      const want = Math.fround(a.data[i] ** b.data[j]);
      const d = Math.abs(want) === Infinity && got[flat] !== want ? Infinity : ulps(got[flat], want);
      if (d > worst) [worst, where] = [d, `${a.data[i]} ** ${b.data[j]} = ${want}, got ${got[flat]}`];
    });
    expect(worst, where).toBeLessThan(2);
  });

  it('converts with truncation and saturation', async () => {
    const f = float([8], [1.9, -1.9, NaN, 3e9, -3e9, 5e9, 0, -0.5]);
    const to = (dtype: DType) => runSteps(cpu, [8], [f], [step('convert', [0], dtype)]);
    expect([...(await to('int32'))]).toEqual([1, -1, 0, 2147483647, -2147483648, 2147483647, 0, 0]);
    expect([...(await to('uint32'))]).toEqual([1, 0, 0, 3000000000, 0, 4294967295, 0, 0]);
    expect([...(await to('bool'))]).toEqual([1, 1, 1, 1, 1, 1, 0, 1]);
  });

  it('does integer arithmetic that wraps and never traps', async () => {
    const a = int([6], [7, -7, 5, -2147483648, 2147483647, 3]);
    const b = int([6], [2, 2, 0, -1, 1, -1]);
    const run = (op: Step['op'], dtype: DType = 'int32') =>
      runSteps(cpu, [6], [a, b], [step(op, [0, 1], dtype)]);
    expect([...(await run('div'))]).toEqual([3, -3, 0, -2147483648, 2147483647, -3]);
    expect([...(await run('add'))]).toEqual([9, -5, 5, 2147483647, -2147483648, 2]);
    expect([...(await run('mul'))]).toEqual([14, -14, 0, -2147483648, 2147483647, -3]);
    expect([...(await run('less', 'bool'))]).toEqual([0, 1, 0, 1, 0, 0]);
    expect([...(await run('maximum'))]).toEqual([7, 2, 5, -1, 2147483647, 3]);
  });

  it('selects, compares and negates bools, with uniform operands anywhere', async () => {
    const a = randomFloats([40, 30], 3);
    const row = randomFloats([30], 4);
    const one = float([], [0.25]);
    const got = await runSteps(
      cpu,
      [40, 30],
      [a, row, one],
      [
        step('less', [0, 1], 'bool'),
        step('lessEqual', [2, 0], 'bool'),
        step('and', [3, 4], 'bool'),
        step('not', [5], 'bool'),
        step('select', [6, 0, 2]),
        step('select', [4, 2, 7]),
      ],
    );
    forEachIndex([40, 30], ([i, j], flat) => {
      const x = a.data[i * 30 + j];
      const inner = !(x < row.data[j] && 0.25 <= x) ? x : 0.25;
      expect(got[flat]).toBe(0.25 <= x ? 0.25 : inner);
    });
  });

  it('maximum and minimum are NaN if either operand is', async () => {
    const a = float([4], [NaN, 1, NaN, 2]);
    const b = float([4], [1, NaN, NaN, 3]);
    expect([...(await runSteps(cpu, [4], [a, b], [step('maximum', [0, 1])]))]).toEqual([NaN, NaN, NaN, 3]);
    expect([...(await runSteps(cpu, [4], [a, b], [step('minimum', [0, 1])]))]).toEqual([NaN, NaN, NaN, 2]);
  });
});
