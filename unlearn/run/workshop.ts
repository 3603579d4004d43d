// The real parts of a run: the engine's device and models, the data readers, the trainer, the methods, the audits and
// the report, each put behind the plain interface of parts.ts.

import { LetheError } from '../../engine/error.ts';
import type { Model } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { channelStatistics, datasets, type ForgetSet, forgetSet } from '../data/index.ts';
import { evaluate } from '../evaluate.ts';
import { methodByName, methods, recordOf } from '../methods/index.ts';
import { type Constants, cardOf, constantsFor, modelFor } from '../model.ts';
import { hint } from '../options/suggest.ts';
import type { Recipe } from '../recipe.ts';
import { train } from '../train.ts';
import type { Dataset, ForgetSpec, Method, UnlearnResult } from '../types.ts';
import { cardIn, disposeAll, fromBytes, toBytes } from '../weights.ts';
import { measureStep } from './measure.ts';
import type { Parts, Product } from './parts.ts';

type Architecture = (recipe: Recipe, dataset: Dataset, constants: Constants) => Model;

/** @param architecture makes the model of a recipe; the engine's own unless said otherwise. */
export function workshop(architecture: Architecture = modelFor): Parts {
  let device: lt.Device | null = null;
  /** On the device of this workshop; the caller's, before one is opened. */
  const here = <R>(work: () => R): R => (device ? lt.withDevice(device, work) : work());
  const parts: Parts = {
    async open(name) {
      device = await lt.open({ device: name });
      return { ...device.info, backend: device.device, dtype: device.dtype };
    },

    async load(recipe, folder) {
      const { name, options } = recipe.dataset;
      const dataset = await datasets.load(datasets.byName(name), { dir: folder, ...options });
      const set: ForgetSet = forgetSet(dataset, recipe.forget as ForgetSpec);
      return { dataset, ...set };
    },

    async train({ recipe, material, seed, options, signal, onProgress, checkpoint, timed }) {
      const { dataset } = material;
      const constants = constantsFor(recipe, dataset);
      const model = architecture(recipe, dataset, constants);
      const key = lt.random.key(seed);
      const input = { model, data: dataset.train, options, key, signal, onProgress, checkpoint };
      const result = await timed(() => train(input));
      return product(model, { recipe, dataset, constants }, result);
    },

    async unlearn({ recipe, material, seed, method, weights, signal, onProgress, checkpoint, timed }) {
      const make = methodByName(method.name);
      if (!make) {
        const known = Object.keys(methods);
        throw new LetheError('value', `no method "${method.name}"${hint(method.name, known)}`);
      }
      const { dataset, forget, retain } = material;
      const way = make(method.options) as Method;
      // What starts from nothing owes nothing to the forgotten images; what starts from weights keeps their constants.
      const constants = way.fromScratch
        ? constantsFor(recipe, channelStatistics(retain))
        : constantsOf(weights, recipe, dataset);
      const model = architecture(recipe, dataset, constants);
      const variables = fromBytes(model, weights, dataset.shape);
      const key = lt.random.key(seed);
      try {
        const input = { model, variables, forget, retain, key, signal, onProgress, checkpoint };
        const result = await timed(() => way.unlearn(input));
        return await product(model, { recipe, dataset, constants }, result);
      } finally {
        disposeAll(variables);
      }
    },

    async evaluate({ recipe, material, weights, signal, onProgress }) {
      const { dataset, manifest, forget, retain } = material;
      const model = architecture(recipe, dataset, constantsOf(weights, recipe, dataset));
      const variables = fromBytes(model, weights, dataset.shape);
      const { images = !datasets.byName(recipe.dataset.name).people, controls: _, ...how } = recipe.evaluate;
      const data = {
        forget,
        retain,
        test: dataset.test,
        classes: dataset.classes.length,
        classIndex: manifest.classIndex,
      };
      try {
        return await evaluate(model, variables, data, { ...how, images, signal, onProgress });
      } finally {
        disposeAll(variables);
      }
    },

    needsControl(recipe, { dataset }, { name, options }) {
      if (!recordOf(name)?.forgetStatistics(options)) return false;
      const model = architecture(recipe, dataset, constantsFor(recipe, dataset));
      return lt.scope(() => {
        const { state } = model.init(lt.random.key(0), [1, ...dataset.shape]);
        return lt.tree.flatten(state).leaves.length > 0;
      });
    },

    measure: (recipe, { dataset }) =>
      measureStep(architecture(recipe, dataset, constantsFor(recipe, dataset)), recipe, dataset),

    async render(results) {
      const { renderReport } = await import('../report/index.ts');
      return renderReport(results);
    },
  };
  return {
    ...parts,
    train: (task) => here(() => parts.train(task)),
    unlearn: (task) => here(() => parts.unlearn(task)),
    evaluate: (task) => here(() => parts.evaluate(task)),
    needsControl: (...of) => here(() => parts.needsControl(...of)),
    measure: (...of) => here(() => parts.measure(...of)),
  };
}

/** The constants weights were trained with: those the file names, else the recipe's over all training images. */
function constantsOf(weights: Uint8Array, recipe: Recipe, dataset: Dataset): Constants {
  const card = cardIn(weights);
  return card ? card.model.normalise : constantsFor(recipe, dataset);
}

async function product(
  model: Model,
  { recipe, dataset, constants }: { recipe: Recipe; dataset: Dataset; constants: Constants },
  { variables, cost, details }: UnlearnResult,
): Promise<Product> {
  try {
    const weights = await toBytes(model, variables, dataset.shape, cardOf(recipe, dataset, constants));
    return { weights, cost, details };
  } finally {
    disposeAll(variables);
  }
}
