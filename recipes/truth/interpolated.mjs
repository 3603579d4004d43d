// A model of known truth: on the straight line between the original and a model retrained from the same first weights, with
// the statistics of batch normalisation taken anew on what is kept. For judging metrics (docs/which-metric.md).

import * as lt from 'lethe';
import { define, disposeTree, num, section, tune, withDefault } from 'lethe/method';
import { methods } from 'lethe/unlearn';

const { inherits, options } = methods.retrain.record;

export default define({
  name: 'interpolated',
  title: 'Between original and retrain',
  paper: 'ours',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section('Weights between those of the original and of a retrained model.', {
    ...options.entries,
    place: withDefault(num('0 is the original, 1 the retrained model.', 0, 1), 0.5),
  }),
  inherits,
  search: {},
  cost: ({ retain }, { epochs }) => ({ train: (epochs + 1) * retain, infer: 0 }),
  forgetStatistics: () => false,

  async forget({ place, ...training }, input) {
    const { model, variables, retain, key, signal, onProgress, checkpoint } = input;
    const part = (progress) => onProgress?.({ ...progress, fraction: 0.9 * progress.fraction });
    const retrained = await methods
      .retrain(training)
      .unlearn({ ...input, onProgress: part, checkpoint, validation: undefined });
    const between = lt.tree.map(
      (a, b) => lt.scope(() => a.mul(1 - place).add(b.mul(place))),
      variables.params,
      retrained.variables.params,
    );
    const start = { params: between, state: retrained.variables.state };
    try {
      // Rate 0: nothing moves but the statistics.
      const passes = [{ name: 'statistics', sets: { retain: { set: retain } } }];
      const still = {
        epochs: 1,
        batchSize: training.batchSize,
        learningRate: 0,
        momentum: 0,
        weightDecay: 0,
      };
      const how = { name: 'interpolated', model, variables: start, signal, passes };
      const result = await tune(still, key, how);
      onProgress?.({ phase: 'statistics', fraction: 1 });
      const sum = (name) => retrained.cost[name] + result.cost[name];
      const cost = {
        seconds: sum('seconds'),
        gradientSteps: sum('gradientSteps'),
        samplesVisited: sum('samplesVisited'),
      };
      return { variables: result.variables, cost, details: {} };
    } finally {
      disposeTree(between);
      disposeTree(retrained.variables);
    }
  },
});
