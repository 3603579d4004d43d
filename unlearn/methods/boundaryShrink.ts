// Boundary Shrink (Chen et al., Boundary Unlearning, CVPR 2023): move the decision boundary instead of the weights.
// Every forgotten image, unchanged, is trained towards its nearest other class (neighbours.ts), so that the forgotten
// class's region is shared out among its neighbours. Only the forget set is used.
//
// Where the authors' code differs from the definition, both exist: epsilonConvention, rounding, excludeTrueLabel;
// batchNorm 'frozen' keeps the statistics from drifting to the forgotten class. See docs/methods.md.

import { methodSchemas } from '../recipe/options.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';
import { findNeighbours } from './neighbours.ts';

export const boundaryShrink = define(
  'boundaryShrink',
  methodSchemas.boundaryShrink,
  async (options, input) => {
    const { model, variables, forget, key } = input;
    const started = performance.now();
    const found = await findNeighbours(model, variables, forget, options.batchSize, options, input);
    const searchSeconds = (performance.now() - started) / 1000;
    const labels = ({ indices }: { indices: Int32Array }) => indices.map((i) => found.labels[i]);
    const passes = [{ name: 'forget', split: forget, labels }];
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
  { forgetStatistics: ({ batchNorm }) => batchNorm === 'train' },
);
