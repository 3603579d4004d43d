// The networks a recipe can name, each with its normalisation inside: bytes / 255 go in, whatever the weights were
// trained on. The architectures themselves are the engine's.

import { LetheError } from '../engine/error.ts';
import type { Model } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import type { Recipe } from './recipe.ts';
import type { Dataset } from './types.ts';

/** The model of a recipe for a data set. Needs a device: the normalisation's constants live there. */
export function modelFor(recipe: Pick<Recipe, 'model'>, dataset: Dataset): Model {
  const { name, options, normalisation } = recipe.model;
  const architectures = (lt as unknown as { nn?: Record<string, (options: object) => Model> }).nn;
  const make = architectures?.[name];
  if (!make) throw new LetheError('state', `model ${name} is not part of this version yet`);
  const [height, width] = dataset.shape;
  const model = make({ ...options, classes: dataset.classes.length, inputSize: [height, width] });
  if (normalisation === 'none') return model;
  const half = dataset.mean.map(() => 0.5);
  const [mean, std] = normalisation === 'half' ? [half, half] : [dataset.mean, dataset.std];
  return normalised(model, mean, std);
}

/** The same model on (x - mean) / std, channel by channel. A channel that never varies is only shifted. */
export function normalised(model: Model, mean: readonly number[], std: readonly number[]): Model {
  const shift = lt.keep(lt.tensor([...mean]));
  const scale = lt.keep(lt.tensor(std.map((s) => (s > 0 ? 1 / s : 1))));
  return {
    name: model.name,
    init: (key, inputShape) => model.init(key, inputShape),
    apply: (variables, x, options) => model.apply(variables, lt.mul(lt.sub(x, shift), scale), options),
  };
}
