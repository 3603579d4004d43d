// node dist/bench/exact/one-class.js --dataset NAME --data DIR: how well ARCANE answers with each of its one-class models, and
// with Deep SVDD whose networks stay untrained, on three networks: accuracy on test images, one seed.

import { parseArgs } from 'node:util';
import * as lt from '../../index.ts';
import { datasets } from '../../unlearn/data/index.ts';
import { takeSplit } from '../../unlearn/data/split.ts';
import { methods } from '../../unlearn/methods/index.ts';
import { accuracyOf } from './index.ts';

const { values } = parseArgs({
  options: {
    dataset: { type: 'string', default: 'glyphs' },
    data: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    train: { type: 'string', default: '2000' },
    test: { type: 'string', default: '1000' },
    epochs: { type: 'string', default: '8' },
    batch: { type: 'string', default: '32' },
    blocks: { type: 'string', default: '4' },
    network: { type: 'string' },
    by: { type: 'string' },
  },
});

/** Five convolutions with batch normalisation, the second and the fourth by steps of two, and a global average pool. */
function convnet(options: lt.nn.ModelOptions & { normalise: lt.nn.Normalisation }): lt.nn.Classifier {
  const block = (filters: number, stride: number) =>
    lt.nn.sequential([
      lt.nn.conv2d(filters, { stride, padding: 1, bias: false }),
      lt.nn.batchNorm(),
      lt.nn.relu(),
    ]);
  const layers = {
    normalise: lt.nn.normalise(options.normalise),
    b1: block(16, 1),
    b2: block(32, 2),
    b3: block(32, 1),
    b4: block(64, 2),
    b5: block(64, 1),
    pool: lt.nn.globalAvgPool(),
    fc: lt.nn.dense(options.classes),
  };
  return { ...lt.nn.sequential(layers, 'convnet'), head: ['fc'] };
}

await lt.init({ device: values.device as lt.InitOptions['device'] });
const dataset = await datasets.load(datasets.byName(values.dataset), { dir: values.data });
const { train, test: tests, epochs: passes, batch, blocks: parts } = values;
const [trained, tested, epochs, batchSize, blocks] = [train, tests, passes, batch, parts].map(Number);
const first = (split: typeof dataset.train, n: number) =>
  takeSplit(split, [...Array(Math.min(n, split.size)).keys()]);
const [data, test] = [first(dataset.train, trained), first(dataset.test, tested)];
const half = dataset.mean.map(() => 0.5);
const shared = { classes: dataset.classes.length, normalise: { mean: half, std: half } };
const networks = {
  mlp: lt.nn.mlp({ ...shared, hidden: [128] }),
  smallCnn: lt.nn.smallCnn(shared),
  convnet: convnet(shared),
};
const kinds = {
  rotations: { oneClass: 'rotations', blocks, train: { epochs, batchSize } },
  svdd: { oneClass: 'svdd', blocks, train: { epochs, batchSize } },
  untrained: { oneClass: 'svdd', blocks, train: { epochs: 1, batchSize, learningRate: 0 } },
} as const;
for (const [name, model] of Object.entries(networks))
  for (const [by, options] of Object.entries(kinds)) {
    if ((values.network ?? name) !== name || (values.by ?? by) !== by) continue;
    const method = methods.arcane(options);
    const prepared = await method.prepare({ model, data, key: lt.random.key(1) });
    const accuracy = accuracyOf(await method.predict(prepared, test), test.labels);
    const { seconds, samplesVisited } = prepared.cost;
    process.stdout.write(
      `${name} ${by}: ${accuracy.toFixed(1)} %, ${samplesVisited} visits, ${seconds.toFixed(0)} s\n`,
    );
  }
