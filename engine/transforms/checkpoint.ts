// checkpoint: rematerialisation as a call (see calls.ts).

import { lift, replay } from '../graph/graph.ts';
import { barrier } from '../primitives/apply.ts';
import type { Call, LinearCall, MaybeZero } from '../primitives/types.ts';
import type { Tensor } from '../tensor.ts';
import { bind, depth } from '../trace.ts';
import { unflatten } from '../tree.ts';
import { expectFunction, jvp, runNow, vjp } from './autodiff.ts';
import {
  activeOf,
  argumentsOf,
  batchRun,
  batchTypes,
  type CallParams,
  type Closed,
  floatsOnly,
  type LinearParams,
  resultOf,
  shapeOfCall,
  typesOf,
  within,
  withZeros,
} from './calls.ts';
import type { Fn } from './signatures.ts';

/** The function of the active operands alone; the others stand in it as they are. */
const ofActive =
  (run: Closed, primals: readonly Tensor[], active: readonly boolean[]) =>
  (...xs: Tensor[]): Tensor[] => {
    let next = 0;
    return run(primals.map((p, i) => (active[i] ? xs[next++] : p)));
  };
const checkpointCall: Call<CallParams> = {
  name: 'checkpoint',
  kind: 'call',
  shape: shapeOfCall,
  expand: (xs, { run }) => within(xs, () => run(xs)),
  batch: (xs, batched, { run, outputs }, size) =>
    bind(checkpointCall, xs, { run: batchRun(run, batched, size), outputs: batchTypes(outputs, size) }),
  jvp: (primals, tangents, params) => {
    const outs = bind(checkpointCall, primals, params);
    const { active, given } = activeOf(tangents);
    const linear = { ...params, active };
    return { outs, tangents: floatsOnly(outs, bind(checkpointLinear, [...primals, ...given], linear)) };
  },
};

/** Operands: all primals, then the tangents of the active ones. */
const checkpointLinear: LinearCall<LinearParams> = {
  name: 'checkpoint of tangents',
  kind: 'linear call',
  shape: shapeOfCall,
  // Met by a batch only in forward mode: on a tape the batch is inside the operands.
  batch: (operands, batched, params, size) =>
    batchRun((xs) => checkpointLinear.expand(xs, params), batched, size)(operands),
  expand: (operands, { run, active }) => {
    const primals = operands.slice(0, active.length);
    const f = ofActive(run, primals, active);
    const along = primals.filter((_, i) => active[i]);
    return within(operands, () => jvp(f, along, operands.slice(active.length))[1]);
  },
  transpose: (cotangents, operands, { run, active, outputs }) => {
    const primals = operands.slice(0, active.length) as Tensor[];
    const cts = withZeros(cotangents, outputs);
    const again = (): MaybeZero[] => {
      // The barrier ties the second run to the cotangent: it cannot be merged with the first, nor start before it is due.
      const held = barrier([...primals, ...cts]);
      const f = ofActive(run, held.slice(0, primals.length), active);
      const [, pullback] = vjp(f, ...held.filter((_, i) => active[i]));
      return pullback(held.slice(primals.length)) as MaybeZero[];
    };
    return [...primals.map(() => null), ...within([...primals, ...cts], again)];
  },
};

/**
 * Rematerialisation (Chen et al. 2016): the same function, but reverse mode keeps only its arguments, and the values f
 * closes over, and runs it a second time when its gradient is needed. Trades time (one more forward pass of f) for the
 * memory of f's intermediate values. Under a transformation f is traced once, as by `jit`: it may close over anything,
 * but cannot look at elements.
 */
export function checkpoint<F extends Fn>(f: F): F;
export function checkpoint(f: Fn): Fn {
  expectFunction('checkpoint', f);
  return (...args) => {
    if (depth() === 0) return f(...args);
    const { tensors, rebuild } = argumentsOf(args);
    const { graph, captured, result } = lift(
      'checkpoint',
      tensors,
      (xs) => resultOf('checkpoint', runNow('checkpoint', f, rebuild(xs))),
      ({ leaves }) => leaves,
    );
    const params: CallParams = { run: (xs) => replay(graph, xs), outputs: typesOf(graph.outputs) };
    return unflatten(result.def, bind(checkpointCall, [...tensors, ...captured], params));
  };
}
