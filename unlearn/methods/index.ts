// The methods by name: methods.NAME(options).unlearn(input), methods.NAME.record. Each has a file of its own and its line
// here; recipes, estimates, the report, docs and tests derive from this table. docs/methods.md explains them.

import { amnesiac } from './amnesiac.ts';
import { amun } from './amun.ts';
import { arcane } from './arcane.ts';
import { badTeacher } from './badTeacher.ts';
import { boundaryExpanding } from './boundaryExpanding.ts';
import { boundaryShrink } from './boundaryShrink.ts';
import { certified } from './certified.ts';
import type { AnyMethod } from './define.ts';
import { distillation } from './distillation.ts';
import { finetune } from './finetune.ts';
import { fisher } from './fisher.ts';
import { gradientAscent } from './gradientAscent.ts';
import { influence } from './influence.ts';
import { l1Sparse } from './l1Sparse.ts';
import { l2ul } from './l2ul.ts';
import { negGradPlus } from './negGradPlus.ts';
import { puma } from './puma.ts';
import { randomLabels } from './randomLabels.ts';
import type { MethodRecord } from './record.ts';
import { retrain } from './retrain.ts';
import { salun } from './salun.ts';
import { scrub } from './scrub.ts';
import { sisa } from './sisa.ts';
import { ssd } from './ssd.ts';

/** Each under its own name, or it does not compile. */
const named = <
  T extends { readonly [N in keyof T & string]: AnyMethod & { readonly record: { readonly name: N } } },
>(
  table: T,
): Readonly<T> => Object.freeze(table);

/**
 * The methods by name: methods.NAME(options).unlearn(input). Options that are left out take their defaults; docs/methods.md
 * explains them. In the order that tables and docs show them.
 */
export const methods = named({
  retrain,
  finetune,
  l1Sparse,
  randomLabels,
  gradientAscent,
  negGradPlus,
  boundaryShrink,
  boundaryExpanding,
  salun,
  scrub,
  distillation,
  badTeacher,
  l2ul,
  amun,
  influence,
  puma,
  fisher,
  ssd,
  amnesiac,
  certified,
  sisa,
  arcane,
});

/** The name of a method. */
export type MethodName = keyof typeof methods;

/** Methods by their names: those listed here, or these and others of a user's own. */
export type MethodTable = Readonly<Record<string, AnyMethod>>;

/** A method by a name that is only known when the program runs; undefined where there is none. */
export const methodByName = (name: string, table: MethodTable = methods): AnyMethod | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** The record of a method by such a name. */
export const recordOf = (name: string, table?: MethodTable): MethodRecord | undefined =>
  methodByName(name, table)?.record;
