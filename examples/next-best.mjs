// A method of one's own, in a file: each forgotten sample is trained towards the class that the original finds next best,
// then the network is trained on what is kept. Checked by `lethe check-method examples/next-best.mjs`, run by a recipe that
// names this file; docs/own-method.md goes through it.

import { batchNorm, define, passedOn, relabelled, section, tune, tuning } from 'lethe/method';
import { predict } from 'lethe/unlearn';

export default define({
  name: 'nextBest',
  title: 'Next best class',
  paper: 'an example of the documentation',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Train the forget set towards the next best class, then what is kept.', {
    ...tuning({ epochs: 5, batchSize: 64, learningRate: 0.005, weightDecay: 5e-4 }),
    batchNorm,
  }),
  inherits: [],
  search: { learningRate: { from: 1e-4, to: 1e-1, log: true } },
  cost: ({ forget, retain }, { epochs }) => ({ train: epochs * (forget + retain), infer: forget }),
  forgetStatistics: () => false,

  async forget(options, input) {
    const { model, variables, forget, retain, key, signal } = input;
    const started = performance.now();
    const logits = await predict(model, variables, forget, { signal });
    const labels = nextBest(logits, forget.labels, new Set(retain.labels));
    const seconds = (performance.now() - started) / 1000;

    const change = (batch) =>
      relabelled(
        batch,
        batch.indices.map((i) => labels[i]),
      );
    const passes = [
      { name: 'forget', sets: { forget: { set: forget, change } } },
      { name: 'retain', sets: { retain: { set: retain } } },
    ];
    const result = await tune(options, key, { name: 'nextBest', ...passedOn(input), passes });
    const cost = {
      ...result.cost,
      seconds: result.cost.seconds + seconds,
      samplesVisited: result.cost.samplesVisited + forget.size,
    };
    return { variables: result.variables, cost, details: { history: result.history } };
  },
});

/** For each row of logits the class with the largest, its own left out, among those that are kept. */
function nextBest(logits, labels, kept) {
  const K = logits.length / labels.length;
  return labels.map((own, i) => {
    const row = logits.subarray(i * K, (i + 1) * K);
    const others = [...row.keys()].filter((k) => k !== own && kept.has(k));
    return others.reduce((best, k) => (row[k] > row[best] ? k : best), others[0] ?? own);
  });
}
