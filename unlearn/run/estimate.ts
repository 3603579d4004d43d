// How long a cell is likely to take and how much memory it needs, from one measured training step. Rules of thumb
// for --dry-run and progress, always shown as estimates; nothing is decided by them.

import type { Recipe } from '../recipe.ts';
import type { Material, StepCost } from './parts.ts';
import type { Cell, PlannedCell } from './plan.ts';

interface Passes {
  /** Samples through a forward and a backward pass. */
  readonly train: number;
  /** Samples through a forward pass alone. */
  readonly infer: number;
}

type Sizes = { readonly forget: number; readonly retain: number };

const rules: Record<string, (epochs: number, n: Sizes, options: Record<string, unknown>) => Passes> = {
  retrain: (epochs, n) => ({ train: epochs * n.retain, infer: 0 }),
  finetune: (epochs, n) => ({ train: epochs * n.retain, infer: 0 }),
  randomLabels: (epochs, n, { order }) => ({
    train: epochs * (n.forget + (order === 'forgetOnly' ? 0 : n.retain)),
    infer: 0,
  }),
  gradientAscent: (epochs, n) => ({ train: epochs * n.forget, infer: 0 }),
  // The neighbour search costs a gradient and a forward pass of each forgotten sample, once.
  boundaryShrink: (epochs, n) => ({ train: (epochs + 1) * n.forget, infer: n.forget }),
  boundaryExpanding: (epochs, n) => ({ train: epochs * n.forget, infer: 0 }),
};

/** Samples a cell will push through the network, evaluation left out. Unknown methods are taken to see everything. */
export function passesOf(cell: Cell, recipe: Recipe, sizes: Sizes): Passes {
  if (!cell.method) return { train: recipe.train.epochs * (sizes.forget + sizes.retain), infer: 0 };
  const { name, options } = cell.method;
  const rule = rules[name] ?? rules.randomLabels;
  return rule(Number(options.epochs ?? 1), sizes, options);
}

/** What each cell of a plan takes; of those whose weights are there only the evaluation. */
export const estimatePlan = (
  plan: readonly PlannedCell[],
  recipe: Recipe,
  material: Material,
  step: StepCost,
): PlannedCell[] => plan.map((cell) => ({ ...cell, estimate: estimateCell(cell, recipe, material, step) }));

/** `evaluation` is part of `seconds`. */
function estimateCell(
  cell: PlannedCell,
  recipe: Recipe,
  material: Material,
  step: StepCost,
): PlannedCell['estimate'] {
  const sizes = { forget: material.forget.size, retain: material.retain.size };
  const work = passesOf(cell, recipe, sizes);
  const looked = sizes.forget + sizes.retain + material.dataset.test.size;
  const evaluation = looked * step.inferSeconds;
  const making = step.startSeconds + work.train * step.trainSeconds + work.infer * step.inferSeconds;
  return { seconds: evaluation + (cell.state === 'evaluate' ? 0 : making), evaluation, bytes: step.bytes };
}
