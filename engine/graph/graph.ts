// The typed graph of a traced function: a flat list of primitive calls on named values. `traceGraph` makes the one that
// jit compiles; `lift` makes a function of its operands alone, for calls (checkpoint, customVjp) that run it later. A
// graph prints as text, so that a change in what is computed is a visible difference in a test.

import { type Aval, type DType, type Shape, showAval } from '../dtype.ts';
import { LetheError } from '../error.ts';
import type { ElementwiseName, ParamsOf, PrimitiveName, RootName, ViewName } from '../primitives/names.ts';
import { type Call, isCall, type LinearCall, type Operation, type Primitive } from '../primitives/types.ts';
import { type Concrete, Tensor } from '../tensor.ts';
import { bind, type Trace, withTrace } from '../trace.ts';

/** A value of a graph; identity is what counts. */
export class Var implements Aval {
  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}
}

/** A call of the primitive `op`: its name tells the type of its parameters. */
export interface EquationOf<K extends PrimitiveName> {
  readonly op: K;
  readonly primitive: Primitive;
  readonly inputs: readonly Var[];
  readonly params: ParamsOf<K>;
  readonly outputs: readonly Var[];
}
/** A call of some primitive: a test of `op` tells which. */
export type Equation = { [K in PrimitiveName]: EquationOf<K> }[PrimitiveName];

/** A call that runs a function (checkpoint, customVjp): only in graphs that are replayed, no device sees it. */
interface CallEquation {
  readonly op: 'call';
  readonly call: Call | LinearCall;
  readonly inputs: readonly Var[];
  readonly params: object;
  readonly outputs: readonly Var[];
}

/** `params` are those that `primitive` was bound with, of whatever type its name says. */
export const equationOf = (
  primitive: Primitive,
  inputs: readonly Var[],
  params: object,
  outputs: readonly Var[],
): Equation => ({ op: primitive.name, primitive, inputs, params, outputs }) as Equation;

/** Is this equation, if there is one, a call of the primitive `op`? */
export const isOp = <K extends PrimitiveName>(
  e: Equation | undefined,
  op: K,
): e is Extract<Equation, { op: K }> => e?.op === op;

/** An equation that becomes a step of a loop. */
export type ElementwiseEquation = Extract<Equation, { op: ElementwiseName }>;
/** An equation that becomes a kernel. */
export type RootEquation = Extract<Equation, { op: RootName }>;
export const isElementwise = (e: Equation): e is ElementwiseEquation => e.primitive.kind === 'elementwise';
export const isRoot = (e: Equation): e is RootEquation => e.primitive.kind === 'root';
export const isView = (e: Equation): e is Extract<Equation, { op: ViewName }> => e.primitive.kind === 'view';

export interface Graph<E = Equation> {
  readonly inputs: readonly Var[];
  /** Tensors the function captured; bound after the inputs at every run. */
  readonly constants: readonly { readonly variable: Var; readonly value: Concrete }[];
  readonly equations: readonly E[];
  readonly outputs: readonly Var[];
}
/** A graph to be replayed on tensors. */
type Replayed = Graph<Equation | CallEquation>;

class GraphTrace implements Trace {
  active = true;
  readonly equations: (Equation | CallEquation)[] = [];
  /** Values that came from outside, in order of appearance. */
  readonly captured = new Map<Tensor, Var>();
  constructor(
    readonly level: number,
    readonly name: string,
    /** Calls stay calls, and values of outer transformations may be captured: the graph will be replayed under them. */
    private readonly lifts: boolean,
  ) {}

  process(operation: Operation, operands: readonly Tensor[], params: object): Tensor[] {
    if (!this.lifts && isCall(operation)) return operation.expand(operands, params);
    const inputs = operands.map((x) => this.variable(x));
    const outputs = operation.shape(inputs, params).map((a) => new Var(a.shape, a.dtype));
    this.equations.push(
      isCall(operation)
        ? { op: 'call', call: operation, inputs, params, outputs }
        : equationOf(operation, inputs, params, outputs),
    );
    return outputs.map((v) => new Traced(this, v));
  }
  variable(x: Tensor): Var {
    if (x instanceof Traced && x.trace === this) return x.variable;
    let v = this.captured.get(x);
    if (v !== undefined) return v;
    if (x.trace !== null && !(this.lifts && x.trace.active))
      throw new LetheError(
        'state',
        `${this.name}: met ${x}, a value of a transformation ${x.trace.active ? 'outside the function' : 'that has ended'}`,
      );
    v = new Var(x.shape, x.dtype);
    this.captured.set(x, v);
    return v;
  }
}

class Traced extends Tensor {
  constructor(
    readonly trace: GraphTrace,
    readonly variable: Var,
  ) {
    super(variable.shape, variable.dtype);
  }
}

function record<R>(
  name: string,
  lifts: boolean,
  inputs: readonly Aval[],
  f: (xs: Tensor[]) => R,
  finish: (result: R) => readonly Tensor[],
) {
  return withTrace(
    (level) => new GraphTrace(level, name, lifts),
    (trace) => {
      const vars = inputs.map((a) => new Var(a.shape, a.dtype));
      const result = f(vars.map((v) => new Traced(trace, v)));
      const outputs = finish(result).map((y) => trace.variable(y));
      return { inputs: vars, captured: trace.captured, equations: trace.equations, outputs, result };
    },
    true,
  );
}

/** Records f on inputs of the given types. `finish` turns f's result into the list of output tensors. */
export function traceGraph<R>(
  inputs: readonly Aval[],
  f: (xs: Tensor[]) => R,
  finish: (result: R) => readonly Tensor[],
): { graph: Graph; result: R } {
  const { captured, result, equations, ...rest } = record('jit', false, inputs, f, finish);
  const constants = [...captured].map(([value, variable]) => ({ variable, value: value as Concrete }));
  // Calls were expanded: there are none to leave out.
  return { graph: { ...rest, equations: equations.filter((e) => e.op !== 'call'), constants }, result };
}

/** A function of its operands alone: `graph` takes the inputs, then the values that were captured. */
export interface Lifted<R> {
  readonly graph: Replayed;
  readonly captured: readonly Tensor[];
  readonly result: R;
}

/**
 * Records f on inputs of the given types for the transformation `name`. What f closes over, concrete values and those of
 * outer transformations alike, becomes further inputs, so that whoever replays the graph may batch or differentiate it.
 */
export function lift<R>(
  name: string,
  inputs: readonly Aval[],
  f: (xs: Tensor[]) => R,
  finish: (result: R) => readonly Tensor[],
): Lifted<R> {
  const { captured, result, ...rest } = record(name, true, inputs, f, finish);
  return {
    graph: { ...rest, inputs: [...rest.inputs, ...captured.values()], constants: [] },
    captured: [...captured.keys()],
    result,
  };
}

/** Runs a graph without constants again on tensors, through bind: under whatever transformations are active. */
export function replay(graph: Replayed, inputs: readonly Tensor[]): Tensor[] {
  const env = new Map<Var, Tensor>();
  graph.inputs.forEach((v, i) => {
    env.set(v, inputs[i]);
  });
  for (const e of graph.equations)
    bind(
      e.op === 'call' ? e.call : e.primitive,
      e.inputs.map((x) => env.get(x) as Tensor),
      e.params,
    ).forEach((y, i) => {
      env.set(e.outputs[i], y);
    });
  return graph.outputs.map((v) => env.get(v) as Tensor);
}

/** Short names in order of appearance: a, b, ..., z, aa, ... */
function namer(): (v: Var) => string {
  const names = new Map<Var, string>();
  const letters = (n: number): string =>
    (n >= 26 ? letters(Math.floor(n / 26) - 1) : '') + String.fromCharCode(97 + (n % 26));
  return (v) => {
    let name = names.get(v);
    if (name === undefined) {
      name = letters(names.size);
      names.set(v, name);
    }
    return name;
  };
}

export const showParams = (params: object): string =>
  Object.entries(params)
    .map(([k, v]) => `${k}=${typeof v === 'string' || typeof v === 'number' ? v : JSON.stringify(v)}`)
    .join(' ');

/** One line an equation: `c:float32[2] = sum[axes=[1]] b`. */
export function printGraph(graph: Graph): string {
  const name = namer();
  const typed = (v: Var) => `${name(v)}:${showAval(v)}`;
  const head = `(${graph.inputs.map(typed).join(', ')}${graph.constants.length ? `; ${graph.constants.map((c) => typed(c.variable)).join(', ')}` : ''})`;
  const lines = graph.equations.map(({ primitive, inputs, params, outputs }) => {
    const p = showParams(params);
    return `  ${outputs.map(typed).join(', ')} = ${primitive.name}${p ? `[${p}]` : ''} ${inputs.map(name).join(' ')}`.trimEnd();
  });
  return [head + ' {', ...lines, `} -> (${graph.outputs.map(name).join(', ')})`].join('\n');
}
