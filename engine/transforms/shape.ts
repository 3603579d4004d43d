// evalShape: what a function would return, without computing it. It is jit's tracing with nothing compiled afterwards,
// and may be asked for inside other transformations.

import type { Aval } from '../dtype.ts';
import { LetheError } from '../error.ts';
import { lift } from '../graph/graph.ts';
import { Tensor } from '../tensor.ts';
import { flatten, type Leaf, unflatten } from '../tree.ts';
import { runNow } from './autodiff.ts';
import type { Fn, WithLeaves } from './signatures.ts';

/** A shape and an element type standing for a tensor; a leaf of trees, unlike a plain object. */
export class ShapeOf implements Aval {
  constructor(
    /** Sizes of the axes. */
    readonly shape: readonly number[],
    /** Element type. */
    readonly dtype: Aval['dtype'],
  ) {}
}

/**
 * The shapes and types that `f(...args)` would return, as a tree of `{ shape, dtype }`. Tensors and `ShapeOf` leaves
 * among the arguments are replaced by stand-ins of their shape; other leaves are passed as they are. Nothing is
 * computed.
 * @throws 'value' where f returns what is no tensor; what f throws for these shapes.
 */
export function evalShape<R>(f: (...args: Leaf[]) => R, ...args: Leaf[]): WithLeaves<R, ShapeOf>;
export function evalShape(f: Fn, ...args: Leaf[]): Leaf {
  const { leaves, def } = flatten<Leaf>(args);
  const isValue = (x: unknown): x is Aval => x instanceof Tensor || x instanceof ShapeOf;
  const { result } = lift(
    'evalShape',
    leaves.filter(isValue),
    (xs) => {
      let next = 0;
      const out = flatten<Leaf>(
        runNow(
          'evalShape',
          f,
          unflatten(
            def,
            leaves.map((x) => (isValue(x) ? xs[next++] : x)),
          ),
        ),
      );
      return unflatten(
        out.def,
        out.leaves.map((y) => {
          if (!(y instanceof Tensor))
            throw new LetheError('value', `evalShape: the function must return tensors, found ${typeof y}`);
          return new ShapeOf(y.shape, y.dtype);
        }),
      );
    },
    () => [],
  );
  return result;
}
