// The typed graph that jit traces: a flat list of primitive calls on named values. It prints as text, so that a change
// in what is computed is a visible difference in a test.

import { type Aval, type DType, type Shape, showAval } from '../dtype.ts';
import { LetheError } from '../error.ts';
import type { Primitive } from '../primitives/types.ts';
import { Concrete, Tensor } from '../tensor.ts';
import { bind, isCall, type Trace, withTrace } from '../trace.ts';

/** A value of a graph; identity is what counts. */
export class Var implements Aval {
  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}
}

export interface Equation {
  readonly primitive: Primitive;
  readonly inputs: readonly Var[];
  readonly params: object;
  readonly outputs: readonly Var[];
}

export interface Graph {
  readonly inputs: readonly Var[];
  /** Tensors the function captured; bound after the inputs at every run. */
  readonly constants: readonly { readonly variable: Var; readonly value: Concrete }[];
  readonly equations: readonly Equation[];
  readonly outputs: readonly Var[];
}

class GraphTrace implements Trace {
  active = true;
  readonly name = 'jit';
  readonly equations: Equation[] = [];
  private readonly captured = new Map<Concrete, Var>();
  constructor(readonly level: number) {}

  process(primitive: Primitive, operands: readonly Tensor[], params: object): Tensor[] {
    if (isCall(primitive)) return primitive.expand(operands, params);
    const inputs = operands.map((x) => this.variable(x));
    const outputs = primitive.shape(inputs, params).map((a) => new Var(a.shape, a.dtype));
    this.equations.push({ primitive, inputs, params, outputs });
    return outputs.map((v) => new Traced(this, v));
  }
  variable(x: Tensor): Var {
    if (x instanceof Traced && x.trace === this) return x.variable;
    if (!(x instanceof Concrete))
      throw new LetheError(
        'state',
        `jit: met ${x}, a value of a transformation outside the compiled function`,
      );
    let v = this.captured.get(x);
    if (v === undefined) {
      v = new Var(x.shape, x.dtype);
      this.captured.set(x, v);
    }
    return v;
  }
  constants(): { variable: Var; value: Concrete }[] {
    return [...this.captured].map(([value, variable]) => ({ variable, value }));
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

/** Records f on inputs of the given types. `finish` turns f's result into the list of output tensors. */
export function traceGraph<R>(
  inputs: readonly Aval[],
  f: (xs: Tensor[]) => R,
  finish: (result: R) => Tensor[],
): { graph: Graph; result: R } {
  return withTrace(
    (level) => new GraphTrace(level),
    (trace) => {
      const vars = inputs.map((a) => new Var(a.shape, a.dtype));
      const result = f(vars.map((v) => new Traced(trace, v)));
      const outputs = finish(result).map((y) => trace.variable(y));
      return {
        graph: { inputs: vars, constants: trace.constants(), equations: trace.equations, outputs },
        result,
      };
    },
    true,
  );
}

/** Runs a graph again on tensors, through bind: under whatever transformations are active. */
export function replay(graph: Graph, inputs: readonly Tensor[], constants: readonly Tensor[]): Tensor[] {
  const env = new Map<Var, Tensor>();
  graph.inputs.forEach((v, i) => {
    env.set(v, inputs[i]);
  });
  graph.constants.forEach((c, i) => {
    env.set(c.variable, constants[i]);
  });
  for (const { primitive, inputs: xs, params, outputs } of graph.equations)
    bind(
      primitive,
      xs.map((x) => env.get(x) as Tensor),
      params,
    ).forEach((y, i) => {
      env.set(outputs[i], y);
    });
  return graph.outputs.map((v) => env.get(v) as Tensor);
}

/** Short names in order of appearance: a, b, ..., z, aa, ... */
export function namer(): (v: Var) => string {
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
