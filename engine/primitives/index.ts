// The table of all primitives. Its keys are the names that backends must cover: their tables are typed
// Record<RootName, ...>, so a primitive without a kernel does not compile.

import { attentionPrimitives } from './attention.ts';
import { convPrimitives } from './conv.ts';
import { dotPrimitives } from './dot.ts';
import { elementwisePrimitives } from './elementwise.ts';
import { gatherPrimitives } from './gather.ts';
import { movementPrimitives, viewPrimitives } from './movement.ts';
import { orderPrimitives } from './order.ts';
import { poolPrimitives } from './pool.ts';
import { randomPrimitives } from './random.ts';
import { reducePrimitives } from './reduce.ts';
import { scanPrimitives } from './scan.ts';
import { sortPrimitives } from './sort.ts';
import type { Primitive } from './types.ts';

const rootPrimitives = {
  ...movementPrimitives,
  ...reducePrimitives,
  ...scanPrimitives,
  ...sortPrimitives,
  ...gatherPrimitives,
  ...dotPrimitives,
  ...convPrimitives,
  ...attentionPrimitives,
  ...poolPrimitives,
  ...randomPrimitives,
};

/** Primitives that work element by element: the steps of bodies. */
export type ElementwiseName = keyof typeof elementwisePrimitives;
/** Primitives that move nothing: they become strides, aliases or an order. No program has them. */
type ViewName = keyof typeof viewPrimitives | keyof typeof orderPrimitives;
/** Primitives with kernels of their own. */
export type RootName = keyof typeof rootPrimitives;
/** Every primitive. */
export type PrimitiveName = ElementwiseName | ViewName | RootName;

/** Every primitive by name; parameters are checked by each record's own shape rule. */
export const primitives = {
  ...elementwisePrimitives,
  ...viewPrimitives,
  ...orderPrimitives,
  ...rootPrimitives,
} as unknown as Readonly<Record<PrimitiveName, Primitive>>;
