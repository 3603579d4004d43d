// The operations users call, each a function and (where its first argument is a tensor) a method. They promote numbers,
// broadcast as NumPy does, turn negative axes round, and check shapes before anything runs; the work is done by the
// primitives they are composed of.
//
// Conventions: images are [N, H, W, C], convolution weights [kh, kw, C / groups, O]; reductions take `axis` (a number, a
// list, or nothing for all axes) and `keepDims`; a number among the operands takes the type of the tensor beside it.

import { Tensor } from '../tensor.ts';
import * as attention from './attention.ts';
import * as elementwise from './elementwise.ts';
import * as images from './images.ts';
import * as indexing from './indexing.ts';
import * as normalise from './normalise.ts';
import * as products from './products.ts';
import * as reductions from './reduce.ts';
import * as shape from './shape.ts';

export * from './attention.ts';
export { type Axis, broadcastShapes, normaliseAxis, type Pair, type TensorLike } from './common.ts';
export * from './elementwise.ts';
export * from './images.ts';
export * from './indexing.ts';
export * from './normalise.ts';
export * from './products.ts';
export * from './reduce.ts';
export * from './shape.ts';

/** Every operation whose first argument is a tensor is also a method of tensors. */
const operations = {
  ...elementwise,
  ...reductions,
  ...shape,
  ...indexing,
  ...products,
  ...images,
  ...normalise,
  ...attention,
};
const FUNCTIONS_ONLY = ['concat', 'stack', 'einsum'] as const;

type AsMethod<F> = F extends (first: infer _First, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never;
// A method has the docstring of its function, in editors and in the reference, because the compiler takes the properties of
// Methods for those of the modules. It would not if the operations were `typeof operations` (a declaration file writes that
// type out, without comments) or if Of or Name were not parameters.
type Operations = typeof elementwise &
  typeof reductions &
  typeof shape &
  typeof indexing &
  typeof products &
  typeof images &
  typeof normalise &
  typeof attention;
type Methods<Of, Name extends keyof Of> = { [K in Name]: AsMethod<Of[K]> };

declare module '../tensor.ts' {
  interface Tensor extends Methods<Operations, Exclude<keyof Operations, (typeof FUNCTIONS_ONLY)[number]>> {}
}

for (const [name, f] of Object.entries(operations)) {
  if ((FUNCTIONS_ONLY as readonly string[]).includes(name)) continue;
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return (f as (...args: unknown[]) => unknown)(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}
