// The network of a run: fresh weights, the constants of its images, and weights handed over to the run's folder.

import type { SafetensorsFile } from '../../engine/io/index.ts';
import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type Constants, cardOf, constantsFor } from '../model.ts';
import type { Recipe } from '../recipe.ts';
import { disposeTree } from '../train/feed.ts';
import type { Dataset, UnlearnResult } from '../types.ts';
import { cardIn, toParts } from '../weights.ts';
import type { Making, Outcome } from './parts.ts';

/** Weights that were never trained. */
export const freshWeights = (model: Model, { shape }: Dataset, key: lt.Tensor): Variables =>
  lt.scope(() => model.init(key, [1, ...shape]));

/** Whether a model gathers statistics while it trains. Asked for each trial of a search: no weights are drawn for it. */
export const hasState = (model: Model, { shape }: Dataset): boolean => {
  const key = lt.random.key(0);
  try {
    const { state } = lt.evalShape((k: lt.Tensor) => model.init(k, [1, ...shape]), key) as Variables;
    return lt.tree.flatten(state).leaves.length > 0;
  } finally {
    key.dispose();
  }
};

/** The constants weights were trained with: those the file names, else the recipe's over all training images. */
export function constantsOf(file: SafetensorsFile, recipe: Recipe, dataset: Dataset): Constants {
  const card = cardIn(file);
  return card ? card.model.normalise : constantsFor(recipe, dataset);
}

/** Hands the weights over, and gives their memory back. */
export async function outcomeOf(
  model: Model,
  { recipe, runData, output }: Making,
  constants: Constants,
  { variables, cost, details }: UnlearnResult,
): Promise<Outcome> {
  const { dataset } = runData;
  try {
    await output.weights(toParts(model, variables, dataset.shape, cardOf(recipe, dataset, constants)));
    return { cost, details };
  } finally {
    disposeTree(variables);
  }
}
