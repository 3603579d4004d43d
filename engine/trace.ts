// How an operation finds its interpreter. Every transformation pushes a trace with a higher level; a value
// carries the trace that made it; `bind` hands the call to the highest trace among its operands. Level 0, no trace,
// means concrete values: the device computes. While `jit` traces, its trace also takes calls without operands, so that
// nothing is computed during tracing.

import { LetheError } from './error.ts';
import { isCall, type Operation, type Primitive } from './primitives/types.ts';
import { expectTensors, Tensor, type Transformation } from './tensor.ts';

/** A transformation in progress. */
export interface Trace extends Transformation {
  /** Interprets one operation on values of this transformation and of those further out. */
  process(operation: Operation, operands: readonly Tensor[], params: object): Tensor[];
}

type Evaluator = (primitive: Primitive, operands: readonly Tensor[], params: object) => Tensor[];
let evaluate: Evaluator = () => {
  throw new LetheError('state', 'the engine is not wired: import it through its index');
};
/** Called once by the runtime. */
export const setEvaluator = (f: Evaluator): void => {
  evaluate = f;
};

const stack: Trace[] = [];
let staging: Trace | null = null;

export const depth = (): number => stack.length;
export const isStaging = (): boolean => staging !== null;

/** Runs `body` under a new trace. With `takesAll`, the trace also receives calls on values of lower levels. */
export function withTrace<T extends Trace, R>(
  make: (level: number) => T,
  body: (trace: T) => R,
  takesAll = false,
): R {
  const trace = make(stack.length + 1);
  const outerStaging = staging;
  stack.push(trace);
  if (takesAll) staging = trace;
  try {
    return body(trace);
  } finally {
    staging = outerStaging;
    stack.pop();
    trace.active = false;
  }
}

/** Runs f as if nothing staged: calls on concrete values reach the device. For the staging trace itself to compute. */
export function unstaged<R>(f: () => R): R {
  const outer = staging;
  staging = null;
  try {
    return f();
  } finally {
    staging = outer;
  }
}

/** An operation on tensors, by the interpreter whose turn it is. */
export function bind<P extends object>(
  of: Operation<P>,
  operands: readonly Tensor[],
  params: NoInfer<P>,
): Tensor[] {
  let top: Trace | null = staging;
  for (const x of operands) {
    if (!(x instanceof Tensor)) expectTensors(of.name, ...operands);
    const t = x.trace;
    if (t === null) continue;
    if (!t.active)
      throw new LetheError(
        'state',
        `${of.name}: an operand escaped from ${t.name}; return values from the function instead of storing them outside`,
      );
    if (top === null || t.level > top.level) top = stack[t.level - 1];
  }
  if (top !== null) return top.process(of, operands, params);
  if (isCall(of)) return of.expand(operands, params);
  return evaluate(of, operands, params);
}
