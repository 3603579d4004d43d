// Work on rows in C++: what the planner makes of softmax, normalisations, losses and their gradients, beside the same
// functions loop by loop on the reference in float64, at lengths around what a vector and a block hold.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import type { Shape } from '../../engine/dtype.ts';
import type { Program } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import { createCpuBackend } from '../../native/backend.ts';
import {
  describeCpu,
  distance,
  execute,
  float,
  int,
  type Op,
  program,
  programFor,
  randomFloats,
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

const programOf = (f: Op, values: readonly Value[], rows: boolean, donate: number[] = []): Program =>
  programFor(rows ? cpu.capabilities : { ...cpu.capabilities, rows: null }, f, values, donate);
const rowsIn = (p: Program): number => p.instructions.filter((i) => i.kind === 'rows').length;

const OPERATIONS: Readonly<Record<string, readonly [Op, (rows: number, n: number) => Value[]]>> = {
  softmax: [(x) => lt.softmax(x), (r, n) => [randomFloats([r, n], 1, 4)]],
  'softmax and its gradient': [
    (x, dy) => (lt.vjp((z: lt.Tensor) => lt.softmax(z), x)[1] as Op)(dy),
    (r, n) => [randomFloats([r, n], 1, 4), randomFloats([r, n], 2)],
  ],
  'log-softmax': [(x) => lt.logSoftmax(x), (r, n) => [randomFloats([r, n], 3, 4)]],
  'layer normalisation': [
    (x, scale, shift) => lt.layerNorm(x, { scale, shift }),
    (r, n) => [randomFloats([r, n], 4), randomFloats([n], 5), randomFloats([n], 6)],
  ],
  "layer normalisation's gradient": [
    lt.grad((x: lt.Tensor, s: lt.Tensor) => lt.layerNorm(x, { scale: s }).sin().sum(), [0, 1]) as Op,
    (r, n) => [randomFloats([r, n], 7), randomFloats([n], 8)],
  ],
};

describeCpu('rows', () => {
  it.each(Object.entries(OPERATIONS))('%s', async (_, [f, valuesFor]) => {
    const reference = createReferenceBackend();
    for (const [rows, n] of [
      [16, 64],
      [17, 65],
      [40, 100],
      [16, 1000],
      [19, 4099],
      [16, 8192],
    ] as const) {
      const values = valuesFor(rows, n);
      const p = programOf(f, values, true);
      expect(rowsIn(p)).toBeGreaterThan(0);
      const want = await execute(reference, programOf(f, values, false), values);
      const got = await execute(cpu, p, values);
      got.forEach((g, k) => {
        expect(distance(g, want[k])).toBeLessThan(2 ** -23 * (64 + 4 * Math.sqrt(n)));
      });
    }
  });

  it('one instruction, and the same bits with any number of threads', async () => {
    const x = randomFloats([300, 257], 9, 4);
    const p = programOf((z) => lt.softmax(z), [x], true);
    expect(p.instructions.map((i) => i.kind)).toEqual(['rows']);
    const one = await withThreads(1, (b) => execute(b, p, [x]));
    const five = await withThreads(5, (b) => execute(b, p, [x]));
    expect(sameBits(one, five)).toBe(true);
  });

  it('the same bits where results go past the caches', async () => {
    // 2 arrays of 17 MB; a row ends within a line of the cache.
    const [rows, n] = [22_003, 197];
    const pattern = randomFloats([1009], 12, 4).data;
    const x = float(
      [rows, n],
      Float32Array.from({ length: rows * n }, (_, i) => pattern[i % 1009]),
    );
    const f: Op = (z) => lt.softmax(z);
    const [got] = await execute(cpu, programOf(f, [x], true), [x]);
    for (const first of [0, 7, 10_000, rows - 64]) {
      const part = float([64, n], x.data.slice(first * n, (first + 64) * n));
      const [want] = await execute(cpu, programOf(f, [part], true), [part]);
      expect(sameBits([got.slice(first * n, (first + 64) * n)], [want])).toBe(true);
    }
    // Every row adds up to one.
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let i = r * n; i < (r + 1) * n; i++) sum += got[i];
      if (!(Math.abs(sum - 1) < 1e-5)) throw new Error(`row ${r} adds up to ${sum}`);
    }
  });

  it('sums over the rows, at any number of them and threads', async () => {
    // A row's statistics, and what a layer's parameters get from all rows.
    const f: Op = (x, dy) => {
      const c = x.sub(x.mean(1, true));
      const z = c.mul(c.mul(c).mean(1, true).add(1e-5).rsqrt());
      return [z, dy.mul(z).sum(0), dy.add(z).sum(0)];
    };
    for (const [rows, n] of [
      [16, 64],
      [17, 100],
      [301, 257],
      [3001, 768],
      [40, 8192],
    ] as const) {
      const values = [randomFloats([rows, n], 1, 4), randomFloats([rows, n], 2)];
      const p = programOf(f, values, true);
      expect(p.instructions.map((i) => (i.kind === 'rows' ? i.rows.columns.length : -1))).toEqual([2]);
      const want = await execute(createReferenceBackend(), programOf(f, values, false), values);
      const got = await execute(cpu, p, values);
      got.forEach((g, k) => {
        expect(distance(g, want[k])).toBeLessThan(2 ** -23 * (64 + 8 * Math.sqrt(k === 0 ? n : rows)));
      });
      const [one, five] = await Promise.all(
        [1, 5].map((threads) => withThreads(threads, (b) => execute(b, p, values))),
      );
      expect(sameBits(one, five)).toBe(true);
      expect(sameBits(one, got)).toBe(true);
    }
  });

  it('short rows and long ones are left to loops', () => {
    const count = (shape: Shape): number =>
      rowsIn(programOf((z) => lt.softmax(z), [randomFloats(shape, 1)], true));
    expect(count([64, 63])).toBe(0);
    expect(count([64, 8193])).toBe(0);
    expect(count([15, 64])).toBe(0);
    expect(count([16, 64])).toBe(1);
  });

  it('rows whose axes lie apart, as those of group normalisation', async () => {
    // 64 elements of a row lie together; where fewer do, loops take many rows at a time.
    for (const [channels, isRows] of [
      [64, 1],
      [4, 0],
    ]) {
      const x = randomFloats([4, 5, 4, 4 * channels], 10);
      const f: Op = (z) => lt.groupNorm(z, 4);
      const p = programOf(f, [x], true);
      expect(rowsIn(p)).toBe(isRows);
      const [got] = await execute(cpu, p, [x]);
      // By the definition: 4 pictures, 4 groups of channels, 20 pixels each.
      for (let picture = 0; picture < 4; picture++)
        for (let group = 0; group < 4; group++) {
          const own = Array.from({ length: 20 * channels }, (_, k) => {
            const pixel = Math.floor(k / channels);
            return ((picture * 20 + pixel) * 4 + group) * channels + (k % channels);
          });
          const mean = own.reduce((s, i) => s + x.data[i], 0) / own.length;
          const variance = own.reduce((s, i) => s + (x.data[i] - mean) ** 2, 0) / own.length;
          for (const i of own) expect(got[i]).toBeCloseTo((x.data[i] - mean) / Math.sqrt(variance + 1e-5), 4);
        }
    }
  });

  it('writes over what was given away, keeps NaN in its row, and wraps integers', async () => {
    const x = randomFloats([20, 70], 11, 3);
    x.data[75] = Number.NaN;
    const given = programOf((z) => lt.softmax(z), [x], true, [0]);
    expect(given.donations).toEqual([[0, 0]]);
    const plain = programOf((z) => lt.softmax(z), [x], true);
    const [got] = await execute(cpu, given, [x]);
    expect(sameBits([got], await execute(cpu, plain, [x]))).toBe(true);
    got.forEach((v, i) => {
      expect(Number.isNaN(v)).toBe(i >= 70 && i < 140);
    });
    const n = int(
      [16, 67],
      Array.from({ length: 16 * 67 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) | 0),
    );
    const f: Op = (z) => z.sub(z.max(-1, true)).sum(-1);
    const p = programOf(f, [n], true);
    expect(rowsIn(p)).toBe(1);
    const [sums] = await execute(cpu, p, [n]);
    for (let r = 0; r < 16; r++) {
      const row = [...n.data.slice(r * 67, (r + 1) * 67)];
      expect(sums[r]).toBe(row.reduce((sum, v) => (sum + ((v - Math.max(...row)) | 0)) | 0, 0));
    }
  });

  it('descriptions that do not hold are refused', () => {
    const x = float([16, 64], new Array(1024).fill(1));
    const good = programOf((z) => lt.softmax(z), [x], true);
    const [instruction] = good.instructions;
    if (instruction.kind !== 'rows') throw new Error('no rows');
    const { rows } = instruction;
    const refused = (change: Partial<typeof rows>, donations: [number, number][] = []) => {
      const instructions = [{ kind: 'rows' as const, rows: { ...rows, ...change } }];
      return expect(() => cpu.compile({ ...good, instructions, donations }));
    };
    const [load, ...others] = rows.values;
    if (load.kind !== 'load') throw new Error('no load');
    refused({ values: [{ ...load, view: { ...load.view, offset: 1 } }, ...others] }).toThrow(
      /larger than its slot/,
    );
    refused({ values: [load, ...others.slice(1)] }).toThrow(/out of range|wrong number/);
    refused({ axes: [1, 0] }).toThrow(/not sorted/);
    refused({ axes: [2] }).toThrow(/out of range/);
    refused({ stores: rows.stores.map((s) => ({ ...s, whole: false })) }).toThrow(/stored as values of rows/);
    refused({ stores: [...rows.stores, ...rows.stores] }).toThrow(/share memory/);
    refused({ stores: rows.stores.map((s) => ({ ...s, slot: 0 })) }).toThrow(/written to an input/);
    refused({ columns: [{ value: 0, slot: 1 }] }).toThrow(/share memory/);
    const perRow = rows.values.findIndex((v) => v.perRow);
    refused({ columns: [{ value: perRow, slot: 1 }] }).toThrow(/only elements of float32/);
    const flipped = { ...load, view: { ...load.view, strides: [64, -1], offset: 63 } };
    refused({ values: [flipped, ...others] }, [[0, 0]]).toThrow(/overwrites an operand/);
    const long = program({
      slots: [slot('output', { shape: [8193], dtype: 'float32' }, 0)],
      instructions: [
        {
          kind: 'rows',
          rows: {
            shape: [8193],
            axes: [0],
            values: [
              { kind: 'step', step: step('full', [], 'float32', 1), dtype: 'float32', perRow: true, pass: 0 },
            ],
            stores: [{ value: 0, slot: 0, whole: true }],
            columns: [],
          },
        },
      ],
    });
    expect(() => cpu.compile(long)).toThrow(/too many elements/);
  });
});
