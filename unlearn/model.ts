// The networks a recipe can name, each with its normalisation inside: bytes / 255 go in, whatever the weights were
// trained on. The architectures themselves are the engine's. The constants are part of a trained model: a file of weights
// carries them (weights.ts), and what claims to be exact takes them from what it may see (run/workshop.ts).

import * as lt from '../index.ts';
import type { Recipe } from './recipe.ts';
import type { Dataset } from './types.ts';

/** Constants of the normalisation inside a model, one for each channel; null for none. */
export type Constants = { readonly mean: readonly number[]; readonly std: readonly number[] } | null;

/**
 * The constants a recipe asks for, from the statistics of the images they may depend on. A channel that never varies is
 * shifted but not scaled.
 */
export function constantsFor(
  { model }: Pick<Recipe, 'model'>,
  { mean, std }: Pick<Dataset, 'mean' | 'std'>,
): Constants {
  const half = mean.map(() => 0.5);
  return {
    none: null,
    half: { mean: half, std: half },
    dataset: { mean, std: std.map((s) => (s > 0 ? s : 1)) },
  }[model.normalisation];
}

/** The model of a recipe for a data set; normalised by the statistics of all its training images unless told otherwise. */
export function modelFor(
  recipe: Pick<Recipe, 'model'>,
  dataset: Pick<Dataset, 'classes' | 'mean' | 'std'>,
  constants: Constants = constantsFor(recipe, dataset),
): lt.nn.Classifier {
  const { name, options } = recipe.model;
  const make = lt.nn.models[name as lt.nn.ModelName];
  return make({ ...options, classes: dataset.classes.length, normalise: constants ?? undefined });
}
