// The real parts of a run: the engine's device and models, the data readers, the trainer, the methods, the audits and
// the report, each put behind the plain interface of parts.ts.

import { LetheError } from '../../engine/error.ts';
import type { Model } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { datasets, type ForgetSet, forgetSet } from '../data/index.ts';
import { evaluate } from '../evaluate.ts';
import { methodByName, methods } from '../methods/index.ts';
import { cardOf, modelFor } from '../model.ts';
import { hint } from '../recipe/suggest.ts';
import type { Recipe } from '../recipe.ts';
import { train } from '../train.ts';
import type { Dataset, ForgetSpec, UnlearnResult } from '../types.ts';
import { disposeAll, fromBytes, toBytes } from '../weights.ts';
import { measureStep } from './measure.ts';
import type { Material, Parts, Product } from './parts.ts';

/** Data sets that show people: their pictures stay out of reports unless the recipe asks for them. */
const PEOPLE = new Set(['faces', 'folder']);

/** @param architecture makes the model of a recipe; the engine's own unless said otherwise. */
export function workshop(architecture: (recipe: Recipe, dataset: Dataset) => Model = modelFor): Parts {
  return {
    async open(device) {
      const { device: backend, info } = await lt.init({ device });
      return { ...info, backend, dtype: 'float32' };
    },

    async load(recipe, folder) {
      const { dir = folder, ...options } = recipe.dataset.options as { dir?: string };
      const dataset = await datasets.load(recipe.dataset.name, { ...options, dir });
      const set: ForgetSet = forgetSet(dataset, recipe.forget as ForgetSpec);
      return { dataset, ...set };
    },

    async train({ recipe, material, seed, options, signal, onProgress, checkpoint, timed }) {
      const model = architecture(recipe, material.dataset);
      const key = lt.random.key(seed);
      const data = material.dataset.train;
      const input = { model, data, options, key, signal, onProgress, checkpoint };
      return product(model, recipe, material, await timed(() => train(input)));
    },

    async unlearn({ recipe, material, seed, method, weights, signal, onProgress, checkpoint, timed }) {
      const make = methodByName(method.name);
      if (!make) {
        const known = Object.keys(methods);
        throw new LetheError('value', `no method "${method.name}"${hint(method.name, known)}`);
      }
      const model = architecture(recipe, material.dataset);
      const variables = fromBytes(model, weights, material.dataset.shape);
      const { forget, retain } = material;
      const key = lt.random.key(seed);
      try {
        const input = { model, variables, forget, retain, key, signal, onProgress, checkpoint };
        return await product(model, recipe, material, await timed(() => make(method.options).unlearn(input)));
      } finally {
        disposeAll(variables);
      }
    },

    async evaluate({ recipe, material, weights, signal, onProgress }) {
      const { dataset, manifest, forget, retain } = material;
      const model = architecture(recipe, dataset);
      const variables = fromBytes(model, weights, dataset.shape);
      const { batchSize, exhibits, images = !PEOPLE.has(recipe.dataset.name) } = recipe.evaluate;
      const data = {
        forget,
        retain,
        test: dataset.test,
        classes: dataset.classes.length,
        classIndex: manifest.classIndex,
      };
      try {
        return await evaluate(model, variables, data, { batchSize, exhibits, images, signal, onProgress });
      } finally {
        disposeAll(variables);
      }
    },

    measure: (recipe, { dataset }) => measureStep(architecture(recipe, dataset), recipe, dataset),

    async render(results) {
      const { renderReport } = await import('../report/index.ts');
      return renderReport(results);
    },
  };
}

async function product(
  model: Model,
  recipe: Recipe,
  { dataset }: Material,
  { variables, cost, details }: UnlearnResult,
): Promise<Product> {
  try {
    const weights = await toBytes(model, variables, dataset.shape, cardOf(recipe, dataset));
    return { weights, cost, details };
  } finally {
    disposeAll(variables);
  }
}
