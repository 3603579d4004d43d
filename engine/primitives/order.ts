// barrier: returns its operands unchanged, and tells the simplifier not to merge equal work on its two sides.
// Rematerialisation stands on it: recomputed values must not be merged with the ones they replace.

import type { Tensor } from '../tensor.ts';
import { bind } from '../trace.ts';
import { type Primitive, Unbatched } from './types.ts';

const barrierPrimitive: Primitive<Record<string, never>> = {
  name: 'barrier',
  kind: 'view',
  shape: (inputs) => [...inputs],
  jvp: (primals, tangents, params) => ({
    outs: bind(barrierPrimitive, primals, params),
    tangents: [...tangents],
  }),
  transpose: (cotangents) => [...cotangents],
  // What all samples share stays shared: weights do not become a copy for each sample.
  batch: (operands, batched, params) =>
    bind(barrierPrimitive, operands, params).map((y, i) => (batched[i] ? y : new Unbatched(y))),
  reference: (inputs) => inputs.map((x) => x.data.slice()),
  samples: [{ operands: [{ shape: [2, 3] }, { shape: [4] }], params: {} }],
};

export const orderPrimitives = { barrier: barrierPrimitive };
export const barrier = (xs: readonly Tensor[]): Tensor[] =>
  xs.length === 0 ? [] : bind(barrierPrimitive, xs, {});
