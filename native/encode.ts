// Encoding: a Program (engine/program.ts) as one array of numbers, which native/src/runtime/description.cc reads back. A list is
// its length followed by its items; names become the numbers of engine/primitives/table.ts. Nothing is decided here.

import { type DType, sizeOf } from '../engine/dtype.ts';
import { check, LetheError } from '../engine/error.ts';
import type { ConvParams } from '../engine/primitives/conv.ts';
import type { ElementwiseName, RootName } from '../engine/primitives/index.ts';
import type { PoolParams } from '../engine/primitives/pool.ts';
import type { RandomParams } from '../engine/primitives/random.ts';
import {
  COST,
  DISTRIBUTIONS,
  DTYPES,
  REDUCTIONS,
  ROOTS,
  SIGNATURE,
  SLOT_KINDS,
} from '../engine/primitives/table.ts';
import type { Body, Instruction, Operand, Program } from '../engine/program.ts';

/** Numbers by place. */
const numbered = <Name extends string>(rows: Readonly<Record<Name, unknown>>): Record<Name, number> =>
  Object.fromEntries(Object.keys(rows).map((name, i) => [name, i])) as Record<Name, number>;

const OP_NUMBERS: Record<ElementwiseName, number> = numbered(COST);
const ROOT_NUMBERS: Record<RootName, number> = numbered(ROOTS);

type Encoder = (i: Instruction, exact: boolean) => readonly number[];

// A primitive's own params; the engine has checked them when it made the instruction.
const get = <T>(i: Instruction, name: string): T => {
  check(i.params[name] !== undefined, 'value', () => `${i.root} lacks its parameter ${name}`);
  return i.params[name] as T;
};
const none = (): readonly number[] => [];
const axes = (i: Instruction): readonly number[] => get(i, 'axes');
const axis = (i: Instruction): readonly number[] => [get<number>(i, 'axis')];
const flag = (i: Instruction, name: string): number => (i.params[name] ? 1 : 0);
const convolution = (i: Instruction, exact: boolean): readonly number[] => {
  const { stride, padding, dilation, groups } = i.params as unknown as ConvParams;
  return [...stride, ...padding[0], ...padding[1], ...dilation, groups, exact ? 1 : 0];
};
const pooling = (i: Instruction): readonly number[] => {
  const { size, stride, padding } = i.params as unknown as PoolParams;
  return [...size, ...stride, ...padding[0], ...padding[1]];
};

/** Each root's parameters, as its kernel reads them. Leaving a root out does not compile. */
const PARAMS: Record<RootName, Encoder> = {
  pad: (i) => [...get<number[]>(i, 'low'), ...get<number[]>(i, 'high'), ...get<number[]>(i, 'interior')],
  concat: axis,
  iota: axis,
  sum: axes,
  max: axes,
  min: axes,
  argmax: axis,
  argmin: axis,
  moments: axes,
  cumsum: (i) => [get<number>(i, 'axis'), flag(i, 'reverse')],
  sort: none,
  gather: axis,
  scatter: axis,
  gatherAlong: axis,
  scatterAlong: axis,
  dot: (i) => [flag(i, 'transposeA'), flag(i, 'transposeB')],
  conv: convolution,
  convGradInput: convolution,
  convGradWeight: convolution,
  maxPool: pooling,
  sumPool: pooling,
  sumPoolTranspose: pooling,
  random: (i) => [
    DISTRIBUTIONS[get<RandomParams['distribution']>(i, 'distribution')],
    sizeOf(get(i, 'shape')),
  ],
};

export const dtypeCode = (dtype: DType): number => {
  if (dtype in DTYPES) return DTYPES[dtype as keyof typeof DTYPES];
  throw new LetheError(
    'dtype',
    `the CPU backend computes in float32; ${dtype} has the reference backend (init({ device: 'reference' }))`,
  );
};

class Writer {
  readonly words: number[] = [];
  put(...values: readonly number[]): void {
    for (const v of values) this.words.push(v);
  }
  list<T>(items: readonly T[], item: (t: T) => void): void {
    this.words.push(items.length);
    for (const t of items) item(t);
  }
  numbers(items: readonly number[]): void {
    this.list(items, (v) => this.words.push(v));
  }
}

/** `exact`: convolutions only by algorithms that add plain products (no Winograd transforms). */
export function encode(program: Program, exact = false): Float64Array {
  const w = new Writer();

  const operand = (o: Operand): void => {
    w.put(dtypeCode(o.dtype));
    w.numbers(o.shape);
    w.put(o.slot);
  };
  const body = (b: Body | null): void => {
    w.put(b ? 1 : 0);
    if (!b) return;
    w.numbers(b.shape);
    w.list(b.inputs, (v) => {
      w.put(dtypeCode(v.dtype), v.offset);
      w.numbers(v.strides);
      w.put(v.slot);
    });
    w.list(b.steps, (s) => {
      w.put(OP_NUMBERS[s.op], dtypeCode(s.dtype), s.value ?? 0);
      w.numbers(s.args);
    });
    w.list(b.stores, (s) => w.put(s.value, s.slot));
    w.list(b.reductions, (r) => {
      w.put(REDUCTIONS[r.op], r.value);
      w.numbers(r.axes);
      w.put(r.slot);
    });
  };
  const instruction = (i: Instruction): void => {
    w.put(i.root === null ? -1 : ROOT_NUMBERS[i.root]);
    w.numbers(i.root === null ? [] : PARAMS[i.root](i, exact));
    w.list(i.inputs, operand);
    w.list(i.outputs, operand);
    w.list(i.prologues ?? [], body);
    body(i.body);
  };

  w.put(SIGNATURE, program.arenaBytes, program.inputs, program.outputs);
  w.list(program.slots, (s) => w.put(SLOT_KINDS[s.kind], dtypeCode(s.dtype), s.size, s.index, s.offset));
  w.list(program.donations, ([output, input]) => w.put(output, input));
  w.list(program.instructions, instruction);
  return Float64Array.from(w.words);
}
