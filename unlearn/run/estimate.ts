// How long a cell is likely to take and how much memory it needs, from one measured training step. Rules of thumb
// for --dry-run and progress, always shown as estimates; nothing is decided by them.

import { check } from '../../engine/error.ts';
import { type MethodTable, recordOf } from '../methods/index.ts';
import type { Sizes, Work } from '../methods/record.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import type { RunData, StepCost } from './parts.ts';
import type { Cell, PlannedCell } from './plan.ts';

/** Samples a cell will push through the network, evaluation left out: a method's record says how many. */
export function workOf(cell: Cell, recipe: Recipe, sizes: Sizes, methods?: MethodTable): Work {
  if (cell.given) return { train: 0, infer: 0 };
  if (!cell.method) return { train: recipe.train.epochs * (sizes.forget + sizes.retain), infer: 0 };
  const { train, infer } = workOfMethod(cell.method, sizes, methods);
  // With a record of the original's training comes that training.
  const recorded =
    cell.prepared && cell.from !== null ? recipe.train.epochs * (sizes.forget + sizes.retain) : 0;
  return { train: train + recorded, infer };
}

/** Samples that a method will push through the network. */
export function workOfMethod(
  { name, options }: Pick<MethodEntry, 'name' | 'options'>,
  sizes: Sizes,
  methods?: MethodTable,
): Work {
  const record = recordOf(name, methods);
  check(record, 'value', () => `no method "${name}"`);
  return record.cost(sizes, options);
}

export const sizesOf = ({ forget, retain, dataset }: RunData): Sizes => ({
  forget: forget.size,
  retain: retain.size,
  classes: dataset.classes.length,
});

/** What is to be done, on what, and by which methods. */
interface Given {
  readonly recipe: Recipe;
  readonly runData: RunData;
  readonly methods: MethodTable;
}

/** What each cell of a plan takes; of those whose weights are there only the evaluation. */
export const estimatePlan = (plan: readonly PlannedCell[], given: Given, step: StepCost): PlannedCell[] =>
  plan.map((cell) => ({ ...cell, estimate: estimateCell(cell, given, step) }));

/** `evaluation` is part of `seconds`. */
function estimateCell(
  cell: PlannedCell,
  { recipe, runData, methods }: Given,
  step: StepCost,
): PlannedCell['estimate'] {
  const sizes = sizesOf(runData);
  const work = workOf(cell, recipe, sizes, methods);
  const judged = cell.judge === 'test' ? runData.dataset.test : runData.validation;
  const looked = cell.judge === null ? 0 : sizes.forget + sizes.retain + (judged?.size ?? 0);
  const evaluation = looked * step.inferSeconds;
  const making = step.startSeconds + work.train * step.trainSeconds + work.infer * step.inferSeconds;
  const made = cell.given !== undefined || cell.state === 'evaluate' || cell.state === 'audit';
  return { seconds: evaluation + (made ? 0 : making), evaluation, bytes: step.bytes };
}
