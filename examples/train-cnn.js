// Trains a small convolutional network on drawn symbols with nothing but the engine: a model, an optimiser, one
// compiled step.

import * as lt from 'lethe';
import { batches, datasets } from 'lethe/unlearn';

const quick = process.env.LETHE_QUICK === '1';
const epochs = quick ? 2 : 6;

const { device, info } = await lt.init({ device: 'auto' });
console.log(`computing on ${device}`, info);

const data = await datasets.load('glyphs', { trainSize: 4000, testSize: quick ? 250 : 500 });
const model = lt.nn.smallCnn({ classes: data.classes.length, normalise: { mean: data.mean, std: data.std } });
const optimiser = lt.optim.sgd({ learningRate: 0.02, momentum: 0.9 });

// Parameters are plain trees of tensors. Nothing here is an object that remembers things.
let { params, state } = model.init(lt.random.key(0), [1, ...data.shape]);
let optState = optimiser.init(params);

// One step: loss, gradient and update in one program. What is given away (donate) is overwritten in place.
const step = lt.jit(
  (params, state, optState, x, y) => {
    const [[loss, newState], gradient] = lt.valueAndGrad(
      (p) => {
        const { output, state: next } = model.apply({ params: p, state }, x, { train: true });
        return [lt.crossEntropy(output, y), next];
      },
      { hasAux: true },
    )(params);
    const next = optimiser.update(gradient, optState, params);
    return [next.params, newState, next.state, loss];
  },
  { donate: [0, 1, 2], name: 'training step' },
);
const predict = lt.jit((params, state, x) => model.apply({ params, state }, x).output.argmax());

const upload = (batch) => [
  lt.tensor(batch.images, { shape: [batch.labels.length, ...data.shape] }),
  lt.tensor(batch.labels),
];

let accuracy = 0;
for (let epoch = 0; epoch < epochs; epoch++) {
  const began = performance.now();
  let loss;
  for (const batch of batches(data.train, { batchSize: 64, seed: 0, epoch, shuffle: true })) {
    const [x, y] = upload(batch);
    loss?.dispose();
    [params, state, optState, loss] = step(params, state, optState, x, y);
    x.dispose();
    y.dispose();
  }
  const last = await loss.item(); // waits for the device
  const seconds = (performance.now() - began) / 1000;

  let right = 0;
  for (const batch of batches(data.test, { batchSize: 250 })) {
    const [x, y] = upload(batch);
    const guess = await predict(params, state, x).data();
    right += batch.labels.reduce((n, label, i) => n + (label === guess[i]), 0);
    x.dispose();
    y.dispose();
  }
  accuracy = (100 * right) / data.test.size;
  console.log(
    `epoch ${epoch + 1}: loss ${last.toFixed(3)}, test accuracy ${accuracy.toFixed(1)} %, ${seconds.toFixed(1)} s`,
  );
}
await lt.close();

export { accuracy };
