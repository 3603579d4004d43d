// The table of all primitives. It has a record for every name in names.ts, or does not compile; the tables of backends
// are typed by the same names, so a primitive without a kernel does not compile either.

import { attentionPrimitives } from './attention.ts';
import { convPrimitives } from './conv.ts';
import { dotPrimitives } from './dot.ts';
import { elementwisePrimitives } from './elementwise.ts';
import { gatherPrimitives } from './gather.ts';
import { movementPrimitives } from './movement.ts';
import type { PrimitiveName } from './names.ts';
import { orderPrimitives } from './order.ts';
import { poolPrimitives } from './pool.ts';
import { randomPrimitives } from './random.ts';
import { reducePrimitives } from './reduce.ts';
import { scanPrimitives } from './scan.ts';
import { sortPrimitives } from './sort.ts';
import type { Primitive, PrimitiveOf } from './types.ts';
import { viewPrimitives } from './views.ts';

const records: { readonly [K in PrimitiveName]: PrimitiveOf<K> } = {
  ...elementwisePrimitives,
  ...viewPrimitives,
  ...orderPrimitives,
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

/** Every primitive by name; parameters are checked by each record's own shape rule. */
export const primitives: Readonly<Record<PrimitiveName, Primitive>> = records;
