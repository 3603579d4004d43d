// Encoding: a Program (engine/program.ts) as one array of numbers, which native/src/runtime/description.cc reads back. A list is
// its length followed by its items; names become the numbers of engine/primitives/table.ts. Nothing is decided here.

import type { DType } from '../engine/dtype.ts';
import { check, LetheError } from '../engine/error.ts';
import type { ElementwiseName, ParamsOf, RootName } from '../engine/primitives/names.ts';
import {
  COST,
  DTYPES,
  PARAMETERS,
  REDUCTIONS,
  ROOTS,
  SIGNATURE,
  SLOT_KINDS,
} from '../engine/primitives/table.ts';
import type { Instruction, Loop, Operand, Program, Rows, RowValue, Step, View } from '../engine/program.ts';

/** Numbers by place. */
const numbered = <Name extends string>(rows: Readonly<Record<Name, unknown>>): Record<Name, number> =>
  Object.fromEntries(Object.keys(rows).map((name, i) => [name, i])) as Record<Name, number>;

const OP_NUMBERS: Record<ElementwiseName, number> = numbered(COST);
const ROOT_NUMBERS: Record<RootName, number> = numbered(ROOTS);

/** The parameters of roots. */
type Parameter = {
  [K in RootName]: string extends keyof ParamsOf<K> ? never : keyof ParamsOf<K>;
}[RootName];
/** Leaving a name out of the table does not compile. */
const PARAMETER_NUMBERS: Record<Parameter, number> = numbered(PARAMETERS);

const flag = (on: boolean): number => (on ? 1 : 0);

/** A parameter as numbers, one after another: flags are 0 and 1, words have their numbers. */
function numbersOf(name: Parameter, value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap((v) => numbersOf(name, v));
  if (typeof value === 'number') return [value];
  if (typeof value === 'boolean') return [flag(value)];
  const number = (PARAMETERS[name] as Readonly<Record<string, number>>)[String(value)];
  check(number !== undefined, 'dtype', () => `the CPU backend does not know ${name} ${String(value)}`);
  return [number];
}

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
  const view = (v: View): void => {
    w.put(dtypeCode(v.dtype), v.offset);
    w.numbers(v.strides);
    w.put(v.slot);
  };
  const step = (s: Step): void => {
    w.put(OP_NUMBERS[s.op], dtypeCode(s.dtype), s.value ?? 0);
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
    w.list(r.stores, (s) => w.put(s.value, flag(s.whole), s.slot));
    w.list(r.columns, (s) => w.put(s.value, s.slot));
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
    w.put(ROOT_NUMBERS[i.op]);
    w.list(Object.entries(i.params) as [Parameter, unknown][], ([name, value]) => {
      w.put(PARAMETER_NUMBERS[name]);
      w.numbers(numbersOf(name, value));
    });
    w.list(i.inputs, operand);
    w.list(i.outputs, operand);
    w.list(i.prologues, loop);
    loop(i.epilogue);
  };

  w.put(SIGNATURE, flag(exact), program.arenaBytes, program.inputs, program.outputs);
  w.list(program.slots, (s) => w.put(SLOT_KINDS[s.kind], dtypeCode(s.dtype), s.size, s.index, s.offset));
  w.list(program.donations, ([output, input]) => w.put(output, input));
  w.list(program.instructions, instruction);
  return Float64Array.from(w.words);
}
