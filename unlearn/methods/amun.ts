// AMUN (Ebrahimpour-Boroojeny, Sundaram and Chandrasekaran, "Not All Wrong is Bad: Using Adversarial Examples for Unlearning",
// ICML 2025): for each forgotten image, the nearest adversarial image of the original that a search finds, with the class the
// original takes it for; then the original is trained on, on these and on the data as they are:
//   minimise l(theta; D u A), A = {(x', argmax f(x'; theta_o))}
// The forgotten samples keep their true labels: what pulls their confidence down are their adversarial neighbours. As in the
// released code; see docs/methods/amun.md.

import { joinSplits } from '../data/split.ts';
import { bool, choice, int, num, section } from '../options/fields.ts';
import { batchNorm, fraction, inherited, maskable, opt, tuning } from '../options/training.ts';
import { labelsOf, relabelled } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import { passedOn, tune } from '../train/tune.ts';
import type { UnlearnInput } from '../types.ts';
import { type Adversaries, adversary, passesOf } from './adversary.ts';
import { define } from './define.ts';

const name = 'amun';

export const amun = define({
  name,
  title: 'AMUN',
  paper:
    'Ebrahimpour-Boroojeny, Sundaram and Chandrasekaran, "Not All Wrong is Bad: Using Adversarial Examples for Unlearning", ICML 2025',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Train on, with the nearest adversarial images of forgotten ones beside the data (AMUN).',
    {
      ...tuning({ epochs: 10, batchSize: 128, learningRate: 0.01, weightDecay: 5e-4 }),
      decayEvery: opt(int('Epochs after which the learning rate is multiplied by `gamma`.', 1, 100_000), 5),
      gamma: opt(fraction('Factor of each decay of the learning rate.'), 0.1),
      data: opt(
        choice(
          'What is trained on beside the adversarial images: `all` training samples, or the `forget` set.',
          ['all', 'forget'],
        ),
        'all',
      ),
      adversariesOnly: opt(bool('Leave the forgotten samples themselves out.'), false),
      radius: opt(num('First radius of the search: Euclidean length, in [0, 1] pixels.', 1e-6, 100), 0.04),
      steps: opt(int('Steps of a tenth of the radius, until the network errs.', 1, 10_000), 50),
      doublings: opt(
        int('How often the radius is doubled for images that the network does not err on.', 0, 30),
        10,
      ),
      batchNorm,
      ...maskable,
      ...inherited,
    },
  ),
  inherits: ['augment'],
  search: { learningRate: [0.1, 0.05, 0.01, 0.005, 1e-3, 1e-4, 1e-5], decayEvery: [1, 5, 10] },
  cost: ({ forget, retain }, { epochs, data, adversariesOnly, ...search }) => ({
    train:
      epochs * (forget * (adversariesOnly ? 1 : 2) + (data === 'all' ? retain : 0)) +
      forget * passesOf(search),
    infer: 0,
  }),
  forgetStatistics: (options) => options.batchNorm === 'train' && options.data === 'forget',

  async forget(options, input) {
    const { epochs, decayEvery, data, adversariesOnly } = options;
    const { forget, retain } = input;
    const started = performance.now();
    const found = await nearest(options, input);
    const searchSeconds = (performance.now() - started) / 1000;
    const kept = data === 'all' ? [retain] : [];
    const all = joinSplits(...kept, ...(adversariesOnly ? [] : [forget]), forget);
    // The forgotten samples at the end stand for their adversarial images.
    const change = (batch: Batch) => replaced(batch, found, all.size - forget.size);
    const milestones = Array.from(
      { length: Math.floor(epochs / decayEvery) },
      (_, i) => (i + 1) * decayEvery,
    );
    const passes = [{ name: 'all', sets: { all: { set: all, change } } }];
    const result = await tune({ ...options, schedule: 'step', milestones }, input.key, {
      name,
      ...passedOn(input),
      passes,
    });
    const { variables, cost, history } = result;
    const missed = found.predicted.filter((label, i) => label === forget.labels[i]).length;
    return {
      variables,
      cost: {
        ...cost,
        seconds: cost.seconds + searchSeconds,
        samplesVisited: cost.samplesVisited + found.visited,
      },
      details: {
        adversarialSuccess: (100 * (forget.size - missed)) / forget.size,
        meanRadius: found.radii.reduce((sum, r) => sum + r, 0) / forget.size,
        history,
      },
    };
  },
});

/** The first image on the way from each forgotten one that the original errs on. */
async function nearest(
  { radius, steps, doublings }: { radius: number; steps: number; doublings: number },
  { model, variables, forget, signal, onProgress }: UnlearnInput,
): Promise<Adversaries> {
  const search = adversary(model, { norm: 'l2', radius, share: 0.1, steps, stop: true, doublings });
  const onBatch = (done: number) =>
    onProgress?.({ phase: 'adversarial images', fraction: done / forget.size });
  try {
    return await search.find(variables, forget, forget.labels, { signal, onBatch });
  } finally {
    search.dispose();
  }
}

/** The batch with adversarial images and their labels in place of the samples from position `first` on. */
function replaced(batch: Batch, { images, predicted }: Adversaries, first: number): Batch {
  const { data, shape } = batch.arrays.images;
  const each = shape.slice(1).reduce((a, b) => a * b);
  const pixels = Float32Array.from(data);
  const labels = labelsOf(batch).slice();
  batch.indices.forEach((position, i) => {
    const k = position - first;
    if (k < 0) return;
    pixels.set(images.subarray(k * each, (k + 1) * each), i * each);
    labels[i] = predicted[k];
  });
  const arrays = { ...batch.arrays, images: { data: pixels, shape } };
  return relabelled({ ...batch, arrays }, labels);
}
