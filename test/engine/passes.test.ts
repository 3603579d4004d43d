// Each pass of the planner on small graphs: what it makes of the kernels or instructions it is given, that it leaves those
// alone, and that the validator behind it sees what is wrong.

import { expect, test } from 'vitest';
import type { Capabilities } from '../../engine/backend.ts';
import type { Aval, Shape } from '../../engine/dtype.ts';
import { fuse } from '../../engine/graph/fuse.ts';
import { traceGraph } from '../../engine/graph/graph.ts';
import { type Fused, type Kernel, verifyKernels } from '../../engine/graph/kernels.ts';
import { lower } from '../../engine/graph/lower.ts';
import { donationsOf, isInPlace, withOffsets } from '../../engine/graph/memory.ts';
import { placePrologues } from '../../engine/graph/prologues.ts';
import { rematerialise } from '../../engine/graph/rematerialise.ts';
import { simplify } from '../../engine/graph/simplify.ts';
import { verifyProgram } from '../../engine/graph/verify.ts';
import type { Instruction, Loop, Program, RowsInstruction, Slot } from '../../engine/program.ts';
import * as lt from '../../index.ts';

const PLAIN: Capabilities = {
  prologues: [],
  epilogues: ['dot'],
  buffers: 8,
  bindingBytes: 2 ** 20,
  arena: true,
  beside: 0,
  rows: null,
};
const ROWS: Capabilities = {
  ...PLAIN,
  rows: { busy: 4, short: 64, shortest: 1, longest: 1000, reductions: 2, columns: true },
};

type F = (...xs: lt.Tensor[]) => lt.Tensor | lt.Tensor[];
const graphOf = (f: F, ...shapes: Shape[]) => {
  const avals = shapes.map((shape): Aval => ({ shape, dtype: 'float32' }));
  return simplify(
    traceGraph(
      avals,
      (xs) => f(...xs),
      (y) => [y].flat(),
    ).graph,
  );
};
const fused = (f: F, ...shapes: Shape[]): Fused => fuse(graphOf(f, ...shapes), PLAIN);
const shown = (k: Kernel): string => {
  const ops = k.steps.map((e) => e.primitive.name).join(' ');
  const sums = k.reductions.map((r) => ` ${r.op}[${r.axes}]`).join('');
  const made = [...k.prologues].map(([n, p]) => `(${n}: ${p.steps.map((e) => e.primitive.name).join(' ')})`);
  return `${k.op?.primitive.name ?? ''}${made.join('')}{${ops}}${sums}`;
};
const outline = ({ kernels }: Fused): string[] => kernels.map(shown);
const planned = (f: F, can: Capabilities, ...shapes: Shape[]): Program =>
  lower(graphOf(f, ...shapes), 'test', [], can).program;

// ---- kernels ----------------------------------------------------------------------------------------------------------

test('fuse puts a chain and its reduction into one kernel, and an activation behind its product', () => {
  expect(outline(fused((x, y) => x.mul(y).exp().sum(1), [4, 6], [4, 6]))).toEqual(['{mul exp} sum[1]']);
  expect(outline(fused((x, w, b) => lt.matmul(x, w).add(b).relu(), [4, 6], [6, 5], [5]))).toEqual([
    'dot{add relu}',
  ]);
  // A sum of a row is known only behind it.
  expect(outline(fused((x) => x.div(x.sum(1, true)), [4, 6]))).toEqual(['{} sum[1]', '{div}']);
});

test('fuse asks the backend which operations take an epilogue', () => {
  const graph = graphOf((x, w) => lt.matmul(x, w).relu(), [4, 6], [6, 5]);
  expect(outline(fuse(graph, { ...PLAIN, epilogues: [] }))).toEqual(['dot{}', '{relu}']);
});

test('rematerialise subtracts again rather than storing the difference', () => {
  const f: F = (x) => {
    const y = lt.cumsum(x);
    const z = y.sub(y.sum(1, true));
    return z.div(z.mul(z).sum(1, true));
  };
  const before = fused(f, [4, 6]);
  expect(outline(before).slice(2)).toEqual(['{sub mul} sum[1]', '{div}']);
  const after = rematerialise(before);
  expect(outline(after).slice(2)).toEqual(['{sub mul} sum[1]', '{sub div}']);
  // What it was given is as it was.
  expect(outline(before).slice(2)).toEqual(['{sub mul} sum[1]', '{div}']);
  verifyKernels(after, 'rematerialise');
});

test('placePrologues gives an activation to the product that reads it, and drops the kernel that made it', () => {
  const before = fused((x, w) => lt.matmul(x.sub(1).relu(), w), [4, 6], [6, 5]);
  expect(outline(before)).toEqual(['{sub relu}', 'dot{}']);
  const after = placePrologues(before, ['dot']);
  expect(outline(after)).toEqual(['dot(0: full sub relu){}']);
  expect(outline(before)).toEqual(['{sub relu}', 'dot{}']);
  verifyKernels(after, 'placePrologues');
  expect(outline(placePrologues(before, []))).toEqual(outline(before));
});

test('the validator of kernels names the pass and what is wrong', () => {
  const good = fused((x) => x.div(x.sum(1, true)), [4, 6]);
  verifyKernels(good, 'fuse');
  const [sum, div] = good.kernels;
  const broken = (kernels: readonly Kernel[]) => () => verifyKernels({ ...good, kernels }, 'a pass');
  expect(broken([div, sum])).toThrow('after a pass: the kernel of div reads what is not there');
  expect(broken([sum, { ...div, readings: new Map() }])).toThrow('has a step without an operand');
  expect(broken([sum, { ...div, domain: [4, 5] }])).toThrow('has a step of another size');
  expect(broken([sum])).toThrow('a result is not made');
  const [{ equation, op }] = sum.reductions;
  const two = { ...sum, reductions: [...sum.reductions, { equation, op, axes: [0] }] };
  expect(broken([two, div])).toThrow('reduces over different axes');
});

// ---- instructions -----------------------------------------------------------------------------------------------------

const softmax: F = (x) => lt.softmax(x);
const rowsOf = ({ instructions }: Program): RowsInstruction[] =>
  instructions.flatMap((i) => (i.kind === 'rows' ? [i] : []));

test('fuseRows makes one instruction of a softmax: two reductions in three passes, nothing stored between', () => {
  const p = planned(softmax, ROWS, [5, 1, 6]);
  expect(p.instructions).toHaveLength(1);
  const [{ rows }] = rowsOf(p);
  // Axes of size 1 are gone.
  expect([rows.shape, rows.axes]).toEqual([[5, 6], [1]]);
  expect(
    rows.values.map((v) => [
      v.kind === 'step' ? v.step.op : v.kind === 'load' ? 'x' : v.op,
      v.pass,
      v.perRow,
    ]),
  ).toEqual([
    ['x', 0, false],
    ['max', 1, true],
    ['sub', 1, false],
    ['exp', 1, false],
    ['sum', 2, true],
    ['full', 0, true],
    ['div', 2, true],
    ['mul', 2, false],
  ]);
  expect(p.slots.map((s) => s.kind)).toEqual(['input', 'output']);
});

test('fuseRows takes sums over the rows along, and nothing that reads them', () => {
  const f: F = (x) => {
    const c = x.sub(x.mean(1, true));
    const sums = c.mul(c).sum(0);
    return [c, sums, c.add(sums)];
  };
  const limits = ROWS.rows as NonNullable<Capabilities['rows']>;
  const p = planned(f, ROWS, [5, 6]);
  expect(p.instructions.map((i) => i.kind)).toEqual(['rows', 'loop']);
  const [{ rows }] = rowsOf(p);
  expect(rows.columns).toHaveLength(1);
  expect(rows.values[rows.columns[0].value].perRow).toBe(false);
  const without = planned(f, { ...ROWS, rows: { ...limits, columns: false } }, [5, 6]);
  expect(rowsOf(without).flatMap((i) => i.rows.columns)).toEqual([]);
});

test('fuseRows keeps to what the backend can do', () => {
  const count = (can: Capabilities, shape: Shape): number => rowsOf(planned(softmax, can, shape)).length;
  const limits = ROWS.rows as NonNullable<Capabilities['rows']>;
  expect(count(PLAIN, [5, 6])).toBe(0);
  // Few rows, unless they are short.
  expect(count(ROWS, [2, 64])).toBe(1);
  expect(count(ROWS, [2, 65])).toBe(0);
  expect(count(ROWS, [4, 65])).toBe(1);
  expect(count(ROWS, [4, 1001])).toBe(0);
  expect(count({ ...ROWS, rows: { ...limits, shortest: 7 } }, [5, 6])).toBe(0);
  // On the way to the whole there are the input, exponentials and their sum.
  expect(count({ ...ROWS, buffers: 2 }, [5, 6])).toBe(0);
  expect(count({ ...ROWS, buffers: 3 }, [5, 6])).toBe(1);
  expect(count({ ...ROWS, bindingBytes: 4 * 5 * 6 - 1 }, [5, 6])).toBe(0);
  const two: F = (x) => [x.sub(x.max(1, true)), x.sub(x.min(1, true))];
  expect(rowsOf(planned(two, ROWS, [5, 6])).length).toBeGreaterThan(0);
  expect(rowsOf(planned(two, { ...ROWS, rows: { ...limits, reductions: 1 } }, [5, 6]))).toEqual([]);
});

test('fuseRows reaches over what stands between, but not over what needs the first part', () => {
  // The scatter needs nothing of the softmax.
  const beside: F = (x, y) => lt.softmax(x).sub(lt.cumsum(y).sum(1, true));
  expect(planned(beside, ROWS, [5, 6], [5, 6]).instructions.map((i) => i.kind)).toEqual(['op', 'rows']);
  // The running sum needs the first difference, and the second one needs the running sum.
  const through: F = (x) => {
    const y = x.sub(x.max(1, true));
    return y.sub(lt.cumsum(y).max(1, true));
  };
  expect(planned(through, ROWS, [5, 6]).instructions.map((i) => i.kind)).toEqual(['rows', 'op', 'rows']);
  // The running sum needs the difference, but what comes after it does not need the running sum.
  const early: F = (x) => {
    const y = x.sub(x.max(1, true));
    return [lt.cumsum(y), y.mul(y.sum(1, true))];
  };
  expect(planned(early, ROWS, [5, 6]).instructions.map((i) => i.kind)).toEqual(['rows', 'op']);
});

test('the reference computes mean and variance by rows as by their definition', async () => {
  await lt.init({ device: 'reference' });
  const x = [3, 1, 4, 1, 5, 9, 2, 6];
  const f = lt.jit((v: lt.Tensor) => [v.mean(1), lt.variance(v, 1)]);
  const t = lt.tensor(x, { shape: [2, 4] });
  expect(f.program(t).instructions.some((i) => i.kind === 'rows')).toBe(true);
  const [mean, variance] = f(t);
  // Rows 3 1 4 1 and 5 9 2 6.
  expect(await mean.array()).toEqual([2.25, 5.5]);
  expect(await variance.array()).toEqual([1.6875, 6.25]);
});

/** Two parameters of one shape, each stepped by its own gradient, where it lies. */
const steps: F = (p, q, g, h) => [p.sub(g.mul(0.5)), q.sub(h.mul(0.25))];
const beside = (can: Capabilities, f: F = steps, size = 6): Program =>
  lower(graphOf(f, ...[0, 1, 2, 3].map(() => [size])), 'test', [0, 1], can).program;

test('fuseBeside makes one loop of small ones over one domain, results where they lay', async () => {
  const apart = beside(PLAIN);
  expect(apart.instructions).toHaveLength(2);
  const one = beside({ ...PLAIN, beside: 6 });
  verifyProgram(one);
  expect(one.instructions).toHaveLength(1);
  expect(one.donations).toEqual(apart.donations);
  await lt.init({ device: 'reference' });
  const [p, q, g, h] = [
    [1, 2],
    [3, 4],
    [10, 20],
    [100, 200],
  ].map((v) => lt.tensor(v));
  const f = lt.jit((...xs: lt.Tensor[]) => steps(...xs) as lt.Tensor[]);
  expect(f.program(p, q, g, h).instructions).toHaveLength(1);
  const [first, second] = f(p, q, g, h);
  expect([await first.array(), await second.array()]).toEqual([
    [1 - 5, 2 - 10],
    [3 - 25, 4 - 50],
  ]);
});

test('fuseBeside leaves apart what is large, binds too much, or needs the other', () => {
  const count = (can: Capabilities, f?: F): number => beside({ ...PLAIN, ...can }, f).instructions.length;
  expect(count({ ...PLAIN, beside: 5 })).toBe(2);
  // Four buffers, for both results lie over arguments.
  expect(count({ ...PLAIN, beside: 6, buffers: 4 })).toBe(1);
  expect(count({ ...PLAIN, beside: 6, buffers: 3 })).toBe(2);
  // The second needs the first through a running sum.
  const through: F = (p, q) => [p.mul(2), q.add(lt.cumsum(p.mul(2)))];
  expect(count({ ...PLAIN, beside: 6 }, through)).toBe(3);
});

test('fuseBeside moves nothing behind what writes over an argument that it reads', async () => {
  // The second result lies over p, which the first one reads; the third could take the first one along.
  const f: F = (p, q, g) => [p.mul(2), p.reshape([2, 3]).sub(q.reshape([2, 3])), g.mul(3)];
  const program = beside({ ...PLAIN, beside: 6 }, f);
  verifyProgram(program);
  expect(program.donations).toContainEqual([1, 0]);
  expect(program.instructions).toHaveLength(3);
});

// ---- memory -----------------------------------------------------------------------------------------------------------

const slot = (kind: Slot['kind'], index = -1, size = 24): Slot => ({
  kind,
  dtype: 'float32',
  size,
  index,
  offset: 0,
});
const loop = (more: Partial<Loop>): Instruction => ({
  kind: 'loop',
  loop: {
    shape: [4, 6],
    inputs: [{ slot: 0, dtype: 'float32', strides: [6, 1], offset: 0 }],
    steps: [],
    stores: [{ value: 0, slot: 1 }],
    reductions: [],
    ...more,
  },
});

test('in place is what reads each element in step with writing it', () => {
  const view = (strides: number[], offset = 0) => [{ slot: 0, dtype: 'float32' as const, strides, offset }];
  expect(isInPlace(loop({}), 1, 0)).toBe(true);
  expect(isInPlace(loop({ inputs: view([1, 4]) }), 1, 0)).toBe(false);
  expect(isInPlace(loop({ inputs: view([-6, -1], 23) }), 1, 0)).toBe(false);
  expect(isInPlace(loop({ inputs: [...view([6, 1]), ...view([6, -1], 5)] }), 1, 0)).toBe(false);
  const sum = { op: 'sum' as const, value: 0, axes: [], slot: 1 };
  expect(isInPlace(loop({ stores: [], reductions: [sum] }), 1, 0)).toBe(false);
  const [{ rows }] = rowsOf(planned(softmax, ROWS, [5, 6]));
  expect(isInPlace({ kind: 'rows', rows }, 1, 0)).toBe(true);
  const early = rows.stores.map((s) => ({ ...s, whole: false }));
  expect(isInPlace({ kind: 'rows', rows: { ...rows, stores: early } }, 1, 0)).toBe(false);
});

test("an operation's own result is never written over what its epilogue still reads", () => {
  // y = a b is a result beside relu(y + r); r was given away, and only relu's result may lie there.
  const f: F = (a, b, r) => {
    const y = lt.matmul(a, b);
    return [y, y.add(r).relu()];
  };
  const { program } = lower(graphOf(f, [4, 4], [4, 4], [4, 4]), 'test', [2], PLAIN);
  verifyProgram(program);
  expect(program.instructions).toHaveLength(1);
  expect(program.donations).toEqual([[1, 2]]);
});

test('results lie over arguments that nobody reads later', () => {
  const slots = [slot('input', 0), slot('output', 0), slot('output', 1)];
  const first = loop({});
  const second = loop({ stores: [{ value: 0, slot: 2 }] });
  expect(donationsOf(slots, [first, second], [0], new Set())).toEqual([[1, 0]]);
  expect(donationsOf(slots, [first], [0], new Set())).toEqual([[0, 0]]);
  expect(donationsOf(slots, [first], [0], new Set([0]))).toEqual([]);
  expect(donationsOf([slots[0], slot('output', 0, 12)], [first], [0], new Set())).toEqual([]);
});

test('temporaries share the arena where their lives do not meet', () => {
  // a -> b -> c -> d: b and d never live together, nor a and c.
  const slots = [slot('input', 0), ...[1, 2, 3].map(() => slot('temporary')), slot('output', 0)];
  const from = (a: number, b: number): Instruction =>
    loop({
      inputs: [{ slot: a, dtype: 'float32', strides: [6, 1], offset: 0 }],
      stores: [{ value: 0, slot: b }],
    });
  const chain = [from(0, 1), from(1, 2), from(2, 3), from(3, 4)];
  const placed = withOffsets(slots, chain);
  expect(placed.arenaBytes).toBe(512);
  expect(placed.slots.map((s) => s.offset)).toEqual([0, 0, 256, 0, 0]);
});
