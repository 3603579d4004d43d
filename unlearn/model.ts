// The networks a recipe can name, each with its normalisation inside: bytes / 255 go in, whatever the weights were
// trained on. The card says all that weights need besides themselves to be used; files of weights carry it. The
// architectures themselves are the engine's.

import { LetheError } from '../engine/error.ts';
import * as lt from '../index.ts';
import type { Recipe } from './recipe.ts';
import type { Dataset } from './types.ts';

export interface ModelCard {
  readonly version: 1;
  readonly model: {
    readonly name: string;
    readonly options: Readonly<Record<string, unknown>>;
    /** Statistics of the pixels in [0, 1], one for each channel, or none. */
    readonly normalise: { readonly mean: readonly number[]; readonly std: readonly number[] } | null;
  };
  /** Name of the data set trained on. */
  readonly dataset: string;
  /** Names of the classes, in the order of the logits. */
  readonly classes: readonly string[];
  /** [height, width, channels] of an image. */
  readonly shape: readonly [number, number, number];
}

type Facts = Pick<Dataset, 'classes' | 'mean' | 'std'>;

/** Normalisation of a recipe's model. A channel that never varies is shifted but not scaled. */
function statistics({ model }: Pick<Recipe, 'model'>, { mean, std }: Facts): ModelCard['model']['normalise'] {
  switch (model.normalisation) {
    case 'none':
      return null;
    case 'half':
      return { mean: mean.map(() => 0.5), std: mean.map(() => 0.5) };
    case 'dataset':
      return { mean, std: std.map((s) => (s > 0 ? s : 1)) };
  }
}

/** The model of a recipe for a data set. */
export function modelFor(recipe: Pick<Recipe, 'model'>, facts: Facts): lt.nn.Classifier {
  const { name, options } = recipe.model;
  return make(name, options, facts.classes.length, statistics(recipe, facts));
}

function make(
  name: string,
  options: object,
  classes: number,
  normalise: ModelCard['model']['normalise'],
): lt.nn.Classifier {
  const architecture = lt.nn.models[name as lt.nn.ModelName];
  return architecture({ ...options, classes, normalise: normalise ?? undefined });
}

/** The card of a recipe's model for a data set. */
export function cardOf(recipe: Pick<Recipe, 'model'>, dataset: Dataset): ModelCard {
  const { name, options } = recipe.model;
  return {
    version: 1,
    model: { name, options, normalise: statistics(recipe, dataset) },
    dataset: dataset.name,
    classes: dataset.classes,
    shape: dataset.shape,
  };
}

/** The model a card describes. */
export const modelOf = ({ model, classes }: ModelCard): lt.nn.Classifier =>
  make(model.name, model.options, classes.length, model.normalise);

/** Under this key the metadata of a file of weights hold its card, as JSON. */
export const CARD = 'lethe';

/**
 * The card in the metadata of a file of weights; null where there is none.
 * @throws LetheError 'data' for one that cannot be.
 */
export function readCard(metadata: Readonly<Record<string, string>>): ModelCard | null {
  const text = metadata[CARD];
  if (text === undefined) return null;
  let card: ModelCard;
  try {
    card = JSON.parse(text);
  } catch (cause) {
    throw new LetheError('data', 'the description of the model is no JSON', { cause });
  }
  const need = (holds: boolean, what: string) => {
    if (!holds) throw new LetheError('data', `the description of the model: expected ${what}`);
  };
  const numbers = (list: unknown, length: number) =>
    Array.isArray(list) && list.length === length && list.every((x) => Number.isFinite(x));
  need(card?.version === 1, 'version 1');
  const { model, classes, shape } = card;
  need(Object.hasOwn(lt.nn.models, String(model?.name)), `one of ${Object.keys(lt.nn.models).join(', ')}`);
  need(typeof model.options === 'object' && model.options !== null, 'options of the model');
  need(typeof card.dataset === 'string', 'the name of the data set');
  need(
    Array.isArray(classes) && classes.length >= 1 && classes.every((name) => typeof name === 'string'),
    'a list of names of classes',
  );
  need(
    numbers(shape, 3) && shape.every((side) => Number.isInteger(side) && side >= 1 && side <= 65_536),
    'height, width and channels of the images',
  );
  const { normalise } = model;
  need(
    normalise === null || (numbers(normalise?.mean, shape[2]) && numbers(normalise?.std, shape[2])),
    'a mean and a deviation for each channel, or none',
  );
  return card;
}
