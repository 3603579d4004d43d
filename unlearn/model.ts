// The networks a recipe can name, each with its normalisation inside: bytes / 255 go in, whatever the weights were
// trained on. The architectures themselves are the engine's.

import * as lt from '../index.ts';
import type { Recipe } from './recipe.ts';
import type { Dataset } from './types.ts';

/** The model of a recipe for a data set. A channel that never varies is shifted but not scaled. */
export function modelFor(
  recipe: Pick<Recipe, 'model'>,
  { classes, mean, std }: Pick<Dataset, 'classes' | 'mean' | 'std'>,
): lt.nn.Classifier {
  const { name, options, normalisation } = recipe.model;
  const statistics = {
    none: undefined,
    half: { mean: 0.5, std: 0.5 },
    dataset: { mean, std: std.map((s) => (s > 0 ? s : 1)) },
  };
  const make = lt.nn.models[name as lt.nn.ModelName];
  return make({ ...options, classes: classes.length, normalise: statistics[normalisation] });
}
