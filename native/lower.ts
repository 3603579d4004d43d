// Lowering: a Program (engine/program.ts) as one array of numbers, which native/src/description.cc reads back. A list is
// its length followed by its items; names become their position in the tables below. Nothing is decided here.

import type { DType } from '../engine/dtype.ts';
import { check, LetheError } from '../engine/error.ts';
import type { ElementwiseName, RootName } from '../engine/primitives/index.ts';
import type {
  Instruction,
  Loop,
  Operand,
  OpInstruction,
  Program,
  Rows,
  RowValue,
  Slot,
  Step,
  View,
} from '../engine/program.ts';

const VERSION = 1;

/** In the order of `Op` in native/src/vector.h. */
const ELEMENTWISE: Record<ElementwiseName, number> = {
  neg: 0,
  abs: 1,
  sign: 2,
  exp: 3,
  log: 4,
  log1p: 5,
  expm1: 6,
  sqrt: 7,
  rsqrt: 8,
  tanh: 9,
  sigmoid: 10,
  erf: 11,
  sin: 12,
  cos: 13,
  floor: 14,
  relu: 15,
  identity: 16,
  not: 17,
  convert: 18,
  add: 19,
  sub: 20,
  mul: 21,
  div: 22,
  maximum: 23,
  minimum: 24,
  pow: 25,
  less: 26,
  lessEqual: 27,
  equal: 28,
  and: 29,
  or: 30,
  select: 31,
  full: 32,
};

type Encoder = readonly [code: number, params: (i: OpInstruction, exact: boolean) => readonly number[]];

type Pair = readonly [number, number];
interface WindowParams {
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: readonly [Pair, Pair];
  readonly dilation: Pair;
  readonly groups: number;
}

// A primitive's own params; the engine has checked them when it made the instruction.
const get = <T>(i: OpInstruction, name: string): T => {
  check(i.params[name] !== undefined, 'value', () => `${i.op} lacks its parameter ${name}`);
  return i.params[name] as T;
};
const none = (): readonly number[] => [];
const axes = (i: OpInstruction): readonly number[] => get(i, 'axes');
const axis = (i: OpInstruction): readonly number[] => [get<number>(i, 'axis')];
const flag = (i: OpInstruction, name: string): number => (i.params[name] ? 1 : 0);
const convolution = (i: OpInstruction, exact: boolean): readonly number[] => {
  const { stride, padding, dilation, groups } = i.params as unknown as WindowParams;
  return [...stride, ...padding[0], ...padding[1], ...dilation, groups, exact ? 1 : 0];
};
const pooling = (i: OpInstruction): readonly number[] => {
  const { size, stride, padding } = i.params as unknown as WindowParams;
  return [...size, ...stride, ...padding[0], ...padding[1]];
};
const DISTRIBUTIONS = ['bits', 'uniform', 'normal'];

/** In the order of the factories in native/src/program.cc. Leaving a root out does not compile. */
const ROOTS: Record<RootName, Encoder> = {
  pad: [0, (i) => [...get<number[]>(i, 'low'), ...get<number[]>(i, 'high'), ...get<number[]>(i, 'interior')]],
  concat: [1, axis],
  iota: [2, axis],
  sum: [3, axes],
  max: [4, axes],
  min: [5, axes],
  argmax: [6, axis],
  argmin: [7, axis],
  moments: [8, axes],
  cumsum: [9, (i) => [get<number>(i, 'axis'), flag(i, 'reverse')]],
  sort: [10, none],
  gather: [11, axis],
  scatter: [12, axis],
  gatherAlong: [13, axis],
  scatterAlong: [14, axis],
  dot: [15, (i) => [flag(i, 'transposeA'), flag(i, 'transposeB')]],
  conv: [16, convolution],
  convGradInput: [17, convolution],
  convGradWeight: [18, convolution],
  maxPool: [19, pooling],
  sumPool: [20, pooling],
  sumPoolTranspose: [21, pooling],
  random: [
    22,
    (i) => [
      DISTRIBUTIONS.indexOf(get<string>(i, 'distribution')),
      get<number[]>(i, 'shape').reduce((n, d) => n * d, 1),
    ],
  ],
};

const SLOT_KINDS: Record<Slot['kind'], number> = { input: 0, output: 1, temporary: 2 };
const REDUCTIONS: Record<'sum' | 'max' | 'min', number> = { sum: 0, max: 1, min: 2 };

const DTYPES: Partial<Record<DType, number>> = { float32: 0, int32: 1, uint32: 2, bool: 3 };
export const dtypeCode = (dtype: DType): number => {
  const code = DTYPES[dtype];
  if (code !== undefined) return code;
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
export function lower(program: Program, exact = false): Float64Array {
  const w = new Writer();

  const operand = (o: Operand): void => {
    w.put(dtypeCode(o.dtype));
    w.numbers(o.shape);
    w.put(o.slot);
  };
  const view = (v: View): void => {
    w.put(dtypeCode(v.dtype), v.offset);
    w.numbers(v.strides);
    w.put(v.slot);
  };
  const step = (s: Step): void => {
    w.put(ELEMENTWISE[s.op], dtypeCode(s.dtype), s.value ?? 0);
    w.numbers(s.args);
  };
  const loop = (b: Loop | null): void => {
    w.put(b ? 1 : 0);
    if (!b) return;
    w.numbers(b.shape);
    w.list(b.inputs, view);
    w.list(b.steps, step);
    w.list(b.stores, (s) => w.put(s.value, s.slot));
    w.list(b.reductions, (r) => {
      w.put(REDUCTIONS[r.op], r.value);
      w.numbers(r.axes);
      w.put(r.slot);
    });
  };
  const rowValue = (v: RowValue): void => {
    switch (v.kind) {
      case 'load':
        w.put(0);
        view(v.view);
        break;
      case 'step':
        w.put(1);
        step(v.step);
        break;
      case 'reduction':
        w.put(2, REDUCTIONS[v.op], v.divisor, v.value);
    }
  };
  const rows = (r: Rows): void => {
    w.put(-2);
    w.numbers(r.shape);
    w.numbers(r.axes);
    w.list(r.values, rowValue);
    w.list(r.stores, (s) => w.put(s.value, s.whole ? 1 : 0, s.slot));
  };
  const instruction = (i: Instruction): void => {
    if (i.kind === 'loop') {
      w.put(-1, 0, 0, 0, 0);
      loop(i.loop);
      return;
    }
    if (i.kind === 'rows') {
      rows(i.rows);
      return;
    }
    const [code, params] = ROOTS[i.op];
    w.put(code);
    w.numbers(params(i, exact));
    w.list(i.inputs, operand);
    w.list(i.outputs, operand);
    w.list(i.prologues, loop);
    loop(i.epilogue);
  };

  w.put(VERSION, program.arenaBytes, program.inputs, program.outputs);
  w.list(program.slots, (s) => w.put(SLOT_KINDS[s.kind], dtypeCode(s.dtype), s.size, s.index, s.offset));
  w.list(program.donations, ([output, input]) => w.put(output, input));
  w.list(program.instructions, instruction);
  return Float64Array.from(w.words);
}
