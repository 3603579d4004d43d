// Batching: vmap(f) runs f once on values that carry a hidden batch as axis 0; each primitive's batching rule turns
// the call into one call on the whole batch.

import { showAval } from '../dtype.ts';
import { check } from '../error.ts';
import { settle } from '../options.ts';
import { moveAxis } from '../primitives/apply.ts';
import { ensureBatched } from '../primitives/linear.ts';
import { type Operation, Unbatched } from '../primitives/types.ts';
import { Tensor } from '../tensor.ts';
import { bind, type Trace, withTrace } from '../trace.ts';
import { flatten, type Leaf, showDef, type TreeDef, unflatten } from '../tree.ts';
import { expectFunction, runNow, tidy } from './autodiff.ts';
import type { Args, Fn } from './signatures.ts';

class BatchTrace implements Trace {
  active = true;
  readonly name = 'vmap';
  constructor(
    readonly level: number,
    readonly size: number,
  ) {}

  process(operation: Operation, operands: readonly Tensor[], params: object): Tensor[] {
    const batched = operands.map((x) => x instanceof Batched && x.trace === this);
    const values = operands.map((x, i) => (batched[i] ? (x as Batched).value : x));
    if (!batched.includes(true)) return bind(operation, values, params);
    return operation
      .batch(values, batched, params, this.size)
      .map((y) => (y instanceof Unbatched ? y.value : new Batched(this, y)));
  }
}

class Batched extends Tensor {
  constructor(
    readonly trace: BatchTrace,
    /** With the batch as axis 0. */
    readonly value: Tensor,
  ) {
    super(value.shape.slice(1), value.dtype);
  }
}

/**
 * Runs `f` on tensors of which some carry a batch as axis 0, giving it one sample's view of them. The results that
 * depend on the batch carry it as axis 0 too; `batched` of the answer says which.
 */
export function withBatch<R>(
  xs: readonly Tensor[],
  batched: readonly boolean[],
  size: number,
  f: (xs: Tensor[]) => R,
  results: (result: R) => readonly Tensor[],
): { result: R; values: Tensor[]; batched: boolean[] } {
  return withTrace(
    (level) => new BatchTrace(level, size),
    (trace) => {
      const result = f(xs.map((x, i) => (batched[i] ? new Batched(trace, x) : x)));
      const ys = results(result);
      const mine = ys.map((y) => y instanceof Batched && y.trace === trace);
      return { result, values: ys.map((y, i) => (mine[i] ? (y as Batched).value : y)), batched: mine };
    },
  );
}

/**
 * Where the batch is: an axis for a whole argument, or a tree of axes that may stop above the leaves; null: not
 * batched.
 */
export type Axes = number | null | readonly Axes[] | { readonly [key: string]: Axes };
/** Options of vmap. */
export interface VmapOptions {
  /** One entry for each argument, or one axis for all. Default 0. */
  inAxes?: number | readonly Axes[];
  /** Where the batch goes in the results. Default 0. */
  outAxes?: Axes;
}

/** Spreads a prefix tree of axes over all leaves below it. */
function spreadAxes(axes: Axes, def: TreeDef, where: string): (number | null)[] {
  if (def.kind === 'empty') return [];
  if (axes === null || typeof axes === 'number') {
    const count = (d: TreeDef): number =>
      d.kind === 'leaf' ? 1 : d.kind === 'empty' ? 0 : d.items.reduce((n, x) => n + count(x), 0);
    return new Array(count(def)).fill(axes);
  }
  check(def.kind !== 'leaf', 'value', () => `vmap: ${where} goes deeper than the value it describes`);
  if (Array.isArray(axes)) {
    check(
      def.kind === 'array' && def.items.length === axes.length,
      'value',
      () => `vmap: ${where} has ${axes.length} entries for ${showDef(def)}`,
    );
    return axes.flatMap((a, i) => spreadAxes(a, def.items[i], `${where}[${i}]`));
  }
  check(def.kind === 'object', 'value', () => `vmap: ${where} is an object, the value is ${showDef(def)}`);
  for (const k of Object.keys(axes))
    check(def.keys.includes(k), 'value', () => `vmap: ${where} names '${k}', the value is ${showDef(def)}`);
  return def.keys.flatMap((k, i) =>
    spreadAxes((axes as Record<string, Axes>)[k] ?? null, def.items[i], `${where}.${k}`),
  );
}

/**
 * Maps f over an axis of its arguments: f sees one sample, the result is that of all samples at once. Composes with
 * every transformation; vmap(grad(lossOfOne), { inAxes: [null, 0, 0] })(params, x, y) gives per-sample gradients.
 * @throws When it is called: 'value' where `inAxes` or `outAxes` do not fit, 'shape' where the mapped axes differ in
 * size.
 */
export function vmap<A extends Args, R>(f: (...args: A) => R, options?: VmapOptions): (...args: A) => R;
export function vmap(f: Fn, options?: VmapOptions): Fn {
  expectFunction('vmap', f);
  const { inAxes, outAxes } = settle('vmap', options, { inAxes: 0, outAxes: 0 });
  return (...args) => {
    const perArgument: readonly Axes[] = Array.isArray(inAxes) ? inAxes : args.map(() => inAxes as number);
    check(
      perArgument.length === args.length,
      'value',
      () =>
        `vmap: inAxes has ${perArgument.length} entries, the function was called with ${args.length} arguments`,
    );
    const { leaves, def } = flatten<Leaf>(args);
    const axes = args.flatMap((_, i) =>
      spreadAxes(perArgument[i], (def as { items: readonly TreeDef[] }).items[i], `inAxes[${i}]`),
    );
    let size = -1;
    leaves.forEach((x, i) => {
      const axis = axes[i];
      if (axis === null || !(x instanceof Tensor)) return;
      const a = axis < 0 ? axis + x.ndim : axis;
      check(a >= 0 && a < x.ndim, 'shape', () => `vmap: axis ${axis} does not exist in ${showAval(x)}`);
      check(
        size === -1 || size === x.shape[a],
        'shape',
        () => `vmap: mapped axes must have one size, got ${size} and ${x.shape[a]} (${showAval(x)})`,
      );
      size = x.shape[a];
    });
    check(size !== -1, 'value', () => 'vmap: nothing to map over: no argument has an axis');
    const run = () =>
      withTrace(
        (level) => new BatchTrace(level, size),
        (trace) => {
          const inputs = leaves.map((x, i) => {
            const axis = axes[i];
            if (axis === null || !(x instanceof Tensor)) return x;
            return new Batched(trace, moveAxis(x, axis < 0 ? axis + x.ndim : axis, 0));
          });
          const out = flatten<Leaf>(runNow('vmap', f, unflatten(def, inputs)));
          const outputAxes = spreadAxes(outAxes, out.def, 'outAxes');
          const results = out.leaves.map((y, i) => {
            if (!(y instanceof Tensor)) return y;
            const batched = y instanceof Batched && y.trace === trace;
            const axis = outputAxes[i];
            if (axis === null) {
              check(
                !batched,
                'value',
                () => `vmap: outAxes says result ${i} is not batched, but it depends on the batch`,
              );
              return y;
            }
            const value = batched ? y.value : ensureBatched(y, false, size);
            const to = axis < 0 ? axis + value.ndim : axis;
            check(
              to >= 0 && to < value.ndim,
              'shape',
              () =>
                `vmap: outAxes puts the batch at axis ${axis} of result ${i}, which has ${value.ndim} axes`,
            );
            return moveAxis(value, 0, to);
          });
          return unflatten(out.def, results);
        },
      );
    return tidy(run);
  };
}
