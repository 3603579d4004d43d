// The networks a recipe can name, each with its normalisation inside: bytes / 255 go in, whatever the weights were
// trained on. The constants are part of a trained model: its card says them, with all else that weights need besides
// themselves to be used, and files of weights carry it. The architectures themselves are the engine's.

import { check, LetheError } from '../engine/error.ts';
import * as lt from '../index.ts';
import type { Recipe } from './recipe.ts';
import { show } from './text.ts';
import type { Dataset } from './types.ts';

/** Constants of the normalisation inside a model, for pixels in [0, 1], one for each channel; null for none. */
export type Constants = {
  /** Taken off each channel. */
  readonly mean: readonly number[];
  /** What each channel is divided by then. */
  readonly std: readonly number[];
} | null;

/** What weights need besides themselves to be used. */
export interface ModelCard {
  /** The version of this form. */
  readonly version: 1;
  /** How the network is made. */
  readonly model: {
    /** Its name in nn.models. */
    readonly name: string;
    /** Its options but `classes` and `normalise`. */
    readonly options: Readonly<Record<string, unknown>>;
    /** Constants of the normalisation inside; null for none. */
    readonly normalise: Constants;
  };
  /** Name of the data set trained on. */
  readonly dataset: string;
  /** Names of the classes, in the order of the logits. */
  readonly classes: readonly string[];
  /** [height, width, channels] of an image. */
  readonly shape: readonly [number, number, number];
}

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
  return make(name, options, dataset.classes.length, constants);
}

function make(name: string, options: object, classes: number, normalise: Constants): lt.nn.Classifier {
  const architecture = lt.nn.models[name as lt.nn.ModelName];
  return architecture({ ...options, classes, normalise: normalise ?? undefined });
}

/** The card of a recipe's model for a data set, normalised as `modelFor` does. */
export function cardOf(
  recipe: Pick<Recipe, 'model'>,
  dataset: Dataset,
  constants: Constants = constantsFor(recipe, dataset),
): ModelCard {
  const { name, options } = recipe.model;
  const { classes, shape } = dataset;
  return {
    version: 1,
    model: { name, options, normalise: constants },
    dataset: dataset.name,
    classes,
    shape,
  };
}

/**
 * Whether weights with this card are of a recipe's network and for a data set.
 * @throws LetheError 'data' where they are not.
 */
export function checkCard(
  { model, classes, shape }: ModelCard,
  recipe: Pick<Recipe, 'model'>,
  dataset: Pick<Dataset, 'classes' | 'shape'>,
): void {
  const same = (what: string, found: unknown, wanted: unknown) =>
    check(
      JSON.stringify(found) === JSON.stringify(wanted),
      'data',
      () => `weights for ${what} ${show(found)}; expected ${show(wanted)}, as recipe and data have it`,
    );
  same('the network', model.name, recipe.model.name);
  same('images of [height, width, channels]', shape, dataset.shape);
  same('a number of classes of', classes.length, dataset.classes.length);
  const k = classes.findIndex((name, i) => name !== dataset.classes[i]);
  check(
    k < 0,
    'data',
    () =>
      `weights whose class ${k} is ${show(classes[k])}; expected ${show(dataset.classes[k])}, as the data have it`,
  );
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
