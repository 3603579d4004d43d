// customVjp: a function with its own reverse rule, as a call (see calls.ts).

import { type Aval, isFloat, showAval } from '../dtype.ts';
import { check, LetheError } from '../error.ts';
import { type Lifted, lift, replay } from '../graph/graph.ts';
import { sum } from '../primitives/apply.ts';
import { ensureBatched } from '../primitives/linear.ts';
import { sameShape } from '../primitives/rules.ts';
import type { Call, LinearCall, MaybeZero } from '../primitives/types.ts';
import { Tensor } from '../tensor.ts';
import { bind, depth } from '../trace.ts';
import { flatten, type Leaf, showDef, type TreeDef, unflatten } from '../tree.ts';
import { asTensor, expectFunction, runNow } from './autodiff.ts';
import {
  activeOf,
  argumentsOf,
  batchRun,
  batchTypes,
  type CallParams,
  floatsOnly,
  type LinearParams,
  resultOf,
  shapeOfCall,
  typesOf,
  within,
  withZeros,
} from './calls.ts';
import type { Args, Fn, Partly } from './signatures.ts';
import { withBatch } from './vmap.ts';

/** customVjp's rules as functions of operands; residuals are a tree that only the two of them look into. */
interface Rules {
  readonly forward: (xs: readonly Tensor[]) => { outs: Tensor[]; residuals: Leaf };
  readonly backward: (residuals: Leaf, cts: readonly Tensor[]) => MaybeZero[];
}
interface CustomParams extends CallParams, Rules {
  readonly name: string;
  /** How many operands are arguments; those behind them were captured, and have no rule. */
  readonly arity: number;
}
interface CustomLinearParams extends CustomParams, LinearParams {
  readonly residuals: Leaf;
}

const customCall: Call<CustomParams> = {
  name: 'customVjp',
  kind: 'call',
  shape: shapeOfCall,
  expand: (xs, { run }) => within(xs, () => run(xs)),
  batch: (xs, batched, params, size) => bind(customCall, xs, batchRules(params, batched, size)),
  jvp: (primals, tangents, params) => {
    const { name, arity, forward } = params;
    check(
      tangents.slice(arity).every((t) => t === null),
      'state',
      () =>
        `customVjp: ${name} or a rule of it closes over a value that is being differentiated, for which there is no rule; pass it as an argument, or its stopGradient`,
    );
    const { outs, residuals } = forward(primals);
    const { active, given } = activeOf(tangents.slice(0, arity));
    const linear = { ...params, residuals, active };
    return { outs, tangents: floatsOnly(outs, bind(customLinear, given, linear)) };
  },
};

const noForward = ({ name }: CustomParams): never => {
  throw new LetheError(
    'state',
    `customVjp: ${name} has only a reverse rule; forward mode (jvp) cannot pass through it`,
  );
};

/** Operands: the tangents of the active arguments. */
const customLinear: LinearCall<CustomLinearParams> = {
  name: 'customVjp of tangents',
  kind: 'linear call',
  shape: shapeOfCall,
  expand: (_, params) => noForward(params),
  batch: (_, __, params) => noForward(params),
  transpose: (cotangents, _, { backward, residuals, outputs, active }) =>
    backward(residuals, withZeros(cotangents, outputs)).filter((_g, i) => active[i]),
};

/** Rules for whole batches. An operand without the batch receives the sum of all samples' gradients. */
function batchRules(p: CustomParams, batched: readonly boolean[], size: number): CustomParams {
  return {
    ...p,
    run: batchRun(p.run, batched, size),
    outputs: batchTypes(p.outputs, size),
    forward: (xs) => {
      const run = withBatch(xs, batched, size, p.forward, ({ outs, residuals }) => [
        ...outs,
        ...flatten<Leaf>(residuals).leaves.filter((r) => r instanceof Tensor),
      ]);
      const { outs, residuals } = run.result;
      return {
        outs: outs.map((_, i) => ensureBatched(run.values[i], run.batched[i], size)),
        residuals: {
          tree: flatten<Leaf>(residuals),
          values: run.values.slice(outs.length),
          batched: run.batched.slice(outs.length),
        },
      };
    },
    backward: (residuals, cts) => {
      const { tree, values, batched: carried } = residuals;
      const run = withBatch(
        [...values, ...cts],
        [...carried, ...cts.map(() => true)],
        size,
        (xs) => {
          let next = 0;
          const own = unflatten(
            tree.def,
            tree.leaves.map((r: Leaf) => (r instanceof Tensor ? xs[next++] : r)),
          );
          return p.backward(own, xs.slice(values.length));
        },
        (grads) => grads.filter((g) => g !== null),
      );
      let next = 0;
      return run.result.map((g, i) => {
        if (g === null) return null;
        const all = ensureBatched(run.values[next], run.batched[next], size);
        next++;
        return batched[i] ? all : sum(all, [0]);
      });
    },
  };
}

/** The gradients that a backward rule gave for one argument, one for each of its tensors; null where there is none. */
function gradientsFor(name: string, position: number, argument: Leaf, given: Leaf): MaybeZero[] {
  const walk = (arg: Leaf, g: Leaf, path: string): MaybeZero[] => {
    const part = flatten<Leaf>(arg);
    const tensors = part.leaves.filter((x) => x instanceof Tensor) as Tensor[];
    if (g === null || g === undefined) return tensors.map(() => null);
    if (part.def.kind === 'leaf') {
      if (tensors.length === 0 || !isFloat(arg.dtype)) return tensors.map(() => null);
      const y = asTensor(g, `customVjp: gradient ${path} of ${name}`);
      check(
        sameShape(y.shape, arg.shape) && y.dtype === arg.dtype,
        'shape',
        () => `customVjp: gradient ${path} of ${name} is ${showAval(y)}, expected ${showAval(arg)}`,
      );
      return [y];
    }
    const found = flatten<Leaf>(g).def;
    const fits =
      part.def.kind === 'array' ? Array.isArray(g) && g.length === arg.length : found.kind === part.def.kind;
    check(
      fits,
      'value',
      () => `customVjp: gradient ${path} of ${name} is ${showDef(found)}, expected ${showDef(part.def)}`,
    );
    if (part.def.kind === 'array') return arg.flatMap((a: Leaf, i: number) => walk(a, g[i], `${path}[${i}]`));
    return part.def.kind === 'object' ? part.def.keys.flatMap((k) => walk(arg[k], g[k], `${path}.${k}`)) : [];
  };
  return walk(argument, given, String(position));
}

/** Throws 'shape' unless the forward rule gives what the function gives. */
function checkForward(
  name: string,
  primal: Lifted<{ def: TreeDef }>,
  def: TreeDef,
  outputs: readonly Aval[],
): void {
  const show = (d: TreeDef, ys: readonly Aval[]): string => `${showDef(d)} of ${ys.map(showAval).join(', ')}`;
  const [got, want] = [show(def, outputs), show(primal.result.def, primal.graph.outputs)];
  check(
    got === want,
    'shape',
    () => `customVjp: forward of ${name} returns ${got}, the function itself ${want}`,
  );
}

/** The rules of customVjp: A are the arguments of the function, R its result, S what forward keeps for backward. */
export interface CustomVjpRules<A extends Args, R, S> {
  /** Returns [output, residuals]: what the function returns, and a tree of what backward needs. */
  readonly forward: (...args: A) => readonly [R, S];
  /** Returns one gradient tree for each argument; null for arguments, or leaves, without one. */
  readonly backward: (residuals: S, cotangent: R) => { readonly [K in keyof A]: Partly<A[K]> };
}
/**
 * A function with its own reverse rule. `forward(...args)` returns [output, residuals]; `backward(residuals,
 * cotangent)` returns an array with one gradient tree for each argument (null for arguments, or leaves, without one).
 * The backward rule is itself differentiable, so higher reverse orders and hvp work; plain forward mode does not, and
 * says so. Under vmap both rules see one sample. Under a transformation f and the rules are traced once; they may close
 * over values, but a value that is being differentiated has to be an argument, since there is no rule for it otherwise.
 * @throws 'state' for forward mode and for a differentiated value that is closed over; 'value' or 'shape' for rules
 * that return something else.
 */
export function customVjp<A extends Args, R, S>(
  f: (...args: A) => R,
  rules: CustomVjpRules<A, R, S>,
): (...args: A) => R;
export function customVjp(
  f: Fn,
  rules: { forward: Fn; backward: (residuals: Leaf, cotangent: Leaf) => readonly Leaf[] },
): Fn {
  expectFunction('customVjp', f, rules?.forward, rules?.backward);
  const name = f.name || 'the function';
  return (...args) => {
    if (depth() === 0) return f(...args);
    const { tensors, rebuild } = argumentsOf(args);
    const primal = lift(
      'customVjp',
      tensors,
      (xs) => resultOf('customVjp', runNow('customVjp', f, rebuild(xs))),
      ({ leaves }) => leaves,
    );
    const forward = lift(
      'customVjp',
      tensors,
      (xs) => {
        const result = runNow('customVjp: forward', rules.forward, rebuild(xs));
        if (!Array.isArray(result) || result.length !== 2)
          throw new LetheError('value', `customVjp: forward of ${name} must return [output, residuals]`);
        return { output: resultOf('customVjp', result[0]), residuals: argumentsOf([result[1]]) };
      },
      ({ output, residuals }) => [...output.leaves, ...residuals.tensors],
    );
    const { output, residuals } = forward.result;
    const { graph, captured } = forward;
    const outputs = graph.outputs.slice(0, output.leaves.length);
    checkForward(name, primal, output.def, outputs);
    const backward = lift(
      'customVjp',
      graph.outputs,
      (xs) => {
        const [own] = residuals.rebuild(xs.slice(outputs.length));
        const cotangent = unflatten(output.def, xs.slice(0, outputs.length));
        const given = runNow('customVjp: backward', rules.backward, [own, cotangent]);
        if (!Array.isArray(given) || given.length !== args.length)
          throw new LetheError(
            'value',
            `customVjp: backward of ${name} must return an array with one gradient for each of the ${args.length} arguments`,
          );
        return args.flatMap((arg, i) => gradientsFor(name, i, arg, given[i]));
      },
      (grads) => grads.filter((g) => g !== null),
    );
    const outside = [...new Set([...primal.captured, ...captured, ...backward.captured])];
    const places = (of: Lifted<unknown>): number[] =>
      of.captured.map((x) => tensors.length + outside.indexOf(x));
    const [forPrimal, forForward, forBackward] = [primal, forward, backward].map(places);
    const operands = (xs: readonly Tensor[], behind: readonly number[]): Tensor[] => [
      ...xs.slice(0, tensors.length),
      ...behind.map((i) => xs[i]),
    ];
    const params: CustomParams = {
      name,
      arity: tensors.length,
      outputs: typesOf(outputs),
      run: (xs) => replay(primal.graph, operands(xs, forPrimal)),
      forward: (xs) => {
        const ys = replay(graph, operands(xs, forForward));
        return {
          outs: ys.slice(0, outputs.length),
          residuals: [...ys.slice(outputs.length), ...forBackward.map((i) => xs[i])],
        };
      },
      backward: (own, cts) => {
        const found = replay(backward.graph, [...cts, ...own]);
        let next = 0;
        return backward.result.map((g) => (g === null ? null : found[next++]));
      },
    };
    return unflatten(output.def, bind(customCall, [...tensors, ...outside], params));
  };
}
