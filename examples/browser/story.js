// A network learns drawn symbols and forgets one of them: with the library alone, nothing of Node's and nothing of the page.

import * as lt from 'lethe';
import { datasets, evaluate, forgetSet, methods, train } from 'lethe/unlearn';

/**
 * Accuracies in percent, test data, before and after `symbol` is forgotten, and the loss of each epoch of both in nats.
 * `onProgress` is told the step ('train', 'randomLabels') and how much of it is done, 0 to 1.
 */
export async function story({
  symbol = 'star',
  trainSize = 2000,
  testSize = 500,
  epochs = 12,
  onProgress,
} = {}) {
  const data = await datasets.load('glyphs', { trainSize, testSize });
  const { forget, retain } = forgetSet(data, { class: symbol });
  const classes = data.classes.length;
  const classIndex = data.classes.indexOf(symbol);
  const model = lt.nn.lenet({ classes, normalise: { mean: data.mean, std: data.std } });
  const key = lt.random.key(0);

  const options = { epochs, batchSize: 16, learningRate: 0.03, warmupEpochs: Math.min(1, epochs - 1) };
  const original = await train({ model, data: data.train, options, key, onProgress });
  const method = methods.randomLabels({ epochs: Math.ceil(epochs / 6), batchSize: 64, learningRate: 1e-3 });
  const unlearned = await method.unlearn({
    model,
    variables: original.variables,
    forget,
    retain,
    key,
    onProgress,
  });

  const accuracies = async ({ variables }) => {
    const { metrics } = await evaluate(model, variables, {
      forget,
      retain,
      test: data.test,
      classes,
      classIndex,
    });
    return { forgotten: metrics.acc_test_forget, kept: metrics.acc_test_retain };
  };
  return {
    losses: [original, unlearned].flatMap(({ details }) => details.history.map((epoch) => epoch.loss)),
    before: await accuracies(original),
    after: await accuracies(unlearned),
    seconds: { train: original.cost.seconds, unlearn: unlearned.cost.seconds },
  };
}
