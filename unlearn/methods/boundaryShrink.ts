// Boundary Shrink (Chen et al., Boundary Unlearning, CVPR 2023): move the decision boundary instead of the weights.
// Every forgotten image, unchanged, is trained towards its nearest other class (neighbours.ts), so that the forgotten
// class's region is shared out among its neighbours. Only the forget set is used.
//
// Where the authors' code differs from the definition, both exist: epsilonConvention, rounding, excludeTrueLabel;
// batchNorm 'frozen' keeps the statistics from drifting to the forgotten class. See docs/methods/boundaryShrink.md.

import * as v from 'valibot';
import { wholeClasses } from '../data/forget.ts';
import { bool, choice, section } from '../options/fields.ts';
import { batchNorm, fraction, maskable, opt, tuning } from '../options/training.ts';
import { relabelled } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';
import { findNeighbours } from './neighbours.ts';

export const boundaryShrink = define({
  name: 'boundaryShrink',
  title: 'Boundary Shrink',
  paper: 'Chen, Gao, Liu, Peng and Wang, "Boundary Unlearning", CVPR 2023',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Move each forgotten sample to its nearest other class (Boundary Shrink).', {
    ...tuning({ epochs: 10, batchSize: 64, learningRate: 1e-5, weightDecay: 0 }),
    epsilon: opt(fraction('Length of the one FGSM step that looks for the neighbour.'), 0.1),
    epsilonConvention: opt(
      choice(
        "`pixel`: epsilon in [0, 1] pixels; `released`: in the released code's mis-scaled units, about 2.5 times as far.",
        ['pixel', 'released'],
      ),
      'pixel',
    ),
    excludeTrueLabel: opt(
      bool(
        'Take the likeliest other class that stays where the step does not lead to one; false takes what the step leads to, be it the true label, as the released code does.',
      ),
      true,
    ),
    rounding: v.optional(
      bool(
        'Round the perturbed image to multiples of 1/255. By default with `released` (its code does), not with `pixel`.',
      ),
    ),
    batchNorm,
    ...maskable,
  }),
  inherits: [],
  search: { learningRate: { from: 1e-6, to: 1e-3, log: true } },
  // The neighbour search costs a gradient and a forward pass of each forgotten sample, once.
  cost: ({ forget }, { epochs }) => ({ train: (epochs + 1) * forget, infer: forget }),
  forgetStatistics: (options) => options.batchNorm === 'train',

  async forget(options, input) {
    const { model, variables, forget, key } = input;
    const started = performance.now();
    // Of several classes that go, none is the neighbour of another.
    const search = { ...options, excluded: wholeClasses(input) };
    const found = await findNeighbours(model, variables, forget, options.batchSize, search, input);
    const searchSeconds = (performance.now() - started) / 1000;
    const change = (batch: Batch) =>
      relabelled(
        batch,
        batch.indices.map((i) => found.labels[i]),
      );
    const passes = [{ name: 'forget', sets: { forget: { set: forget, change } } }];
    const result = await tune(options, key, { name: 'boundaryShrink', ...passedOn(input), passes });
    const { seconds, gradientSteps, samplesVisited } = result.cost;
    return {
      variables: result.variables,
      // The search is a gradient and a forward pass of each sample.
      cost: {
        seconds: seconds + searchSeconds,
        gradientSteps,
        samplesVisited: samplesVisited + 2 * forget.size,
      },
      details: { fgsmSuccess: found.success, neighbours: found.histogram, history: result.history },
    };
  },
});
