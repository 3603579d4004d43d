// barrier: returns its operands unchanged, and tells the simplifier not to merge equal work on its two sides.
// Rematerialisation stands on it: recomputed values must not be merged with the ones they replace.

import { apply } from './apply.ts';
import { type PrimitiveOf, Unbatched } from './types.ts';

const barrierPrimitive: PrimitiveOf<'barrier'> = {
  name: 'barrier',
  kind: 'view',
  shape: (inputs) => [...inputs],
  jvp: (primals, tangents, params) => ({
    outs: apply('barrier', primals, params),
    tangents: [...tangents],
  }),
  transpose: (cotangents) => [...cotangents],
  // What all samples share stays shared: weights do not become a copy for each sample.
  batch: (operands, batched, params) =>
    apply('barrier', operands, params).map((y, i) => (batched[i] ? y : new Unbatched(y))),
  reference: (inputs) => inputs.map((x) => x.data.slice()),
  samples: [{ operands: [{ shape: [2, 3] }, { shape: [4] }], params: {} }],
};

export const orderPrimitives = { barrier: barrierPrimitive };
