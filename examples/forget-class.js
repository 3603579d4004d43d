// The whole story with the library: train a network, take one class out of it by two methods, and compare both with a
// network that never saw the class.

import * as lt from 'lethe';
import { datasets, evaluate, forgetSet, methods, train } from 'lethe/unlearn';

const quick = process.env.LETHE_QUICK === '1';
await lt.init({ device: 'auto' });

const data = await datasets.load('glyphs', { trainSize: quick ? 600 : 4000, testSize: quick ? 200 : 1000 });
const { forget, retain } = forgetSet(data, { class: 'star' });
const classIndex = data.classes.indexOf('star');
const model = lt.nn.smallCnn({ classes: data.classes.length, normalise: { mean: data.mean, std: data.std } });
const key = lt.random.key(0);

const options = { epochs: quick ? 2 : 8, batchSize: 64, learningRate: 0.02 };
const original = await train({ model, data: data.train, options, key });

const input = { model, variables: original.variables, forget, retain, key };
const results = {
  original,
  retrain: await methods.retrain(options).unlearn(input),
  finetune: await methods
    .finetune({ epochs: quick ? 1 : 3, batchSize: 64, learningRate: 0.02 })
    .unlearn(input),
  boundaryShrink: await methods
    .boundaryShrink({ epochs: quick ? 1 : 5, batchSize: 64, learningRate: 1e-3 })
    .unlearn(input),
};

const table = {};
for (const [name, { variables, cost }] of Object.entries(results)) {
  const { metrics } = await evaluate(
    model,
    variables,
    { forget, retain, test: data.test, classes: data.classes.length, classIndex },
    { seconds: cost.seconds },
  );
  table[name] = {
    'stars, test': metrics.acc_test_forget,
    'the rest, test': metrics.acc_test_retain,
    MIA: metrics.mia,
    seconds: metrics.rte_seconds,
  };
}
console.table(table);
await lt.close();

export { table };
