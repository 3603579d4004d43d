// A model of known truth: only its last layer was changed, so that all it knows of the forgotten samples is still in the
// layers below. For judging metrics (docs/which-metric.md), not for forgetting.

import * as lt from 'lethe';
import { choice, copyOf, define, headOf, int, num, section, withDefault, withHead } from 'lethe/method';
import { methods } from 'lethe/unlearn';

export default define({
  name: 'lastLayer',
  title: 'Last layer only',
  paper: 'ours',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Change the last layer alone.', {
    edit: withDefault(
      choice(
        '`remove`: the forgotten classes are never named again; `tune`: trained with random labels for the forgotten samples, then with what is kept.',
        ['remove', 'tune'],
      ),
      'remove',
    ),
    epochs: withDefault(int('Of `tune`.', 1, 1000), 10),
    learningRate: withDefault(num('Of `tune`.', 0, 10), 0.05),
  }),
  inherits: [],
  search: {},
  cost: ({ forget, retain }, { edit, epochs }) => ({
    train: edit === 'tune' ? epochs * (forget + retain) : 0,
    infer: 0,
  }),
  forgetStatistics: () => false,

  forget: ({ edit, ...options }, input) => (edit === 'tune' ? tuned(options, input) : removed(input)),
});

/** Random labels, and only the last layer may move. */
async function tuned({ epochs, learningRate }, input) {
  const { model, variables } = input;
  const made = lt.tree.map((p) => lt.zeros(p.shape, 'bool'), variables.params);
  const { weight, bias } = headOf('lastLayer', model, made);
  const free = { weight: lt.ones(weight.shape, 'bool'), bias: lt.ones(bias.shape, 'bool') };
  try {
    const mask = withHead(model, made, free);
    const way = methods.randomLabels({ epochs, learningRate, batchSize: 128, batchNorm: 'frozen' });
    return await way.unlearn({ ...input, mask });
  } finally {
    for (const tensor of lt.tree.flatten([made, free]).leaves) tensor.dispose();
  }
}

/** A logit that never wins, for the classes of which nothing is kept. */
async function removed({ model, variables, forget, retain, onProgress }) {
  const started = performance.now();
  const kept = new Set(retain.labels);
  const gone = new Set([...forget.labels].filter((label) => !kept.has(label)));
  const { weight, bias } = headOf('lastLayer', model, variables.params);
  const off = Float32Array.from({ length: bias.size }, (_, k) => (gone.has(k) ? -1e4 : 0));
  const shift = lt.tensor(off);
  const lower = bias.add(shift);
  const copy = copyOf({
    params: withHead(model, variables.params, { weight, bias: lower }),
    state: variables.state,
  });
  for (const tensor of [shift, lower]) tensor.dispose();
  onProgress?.({ phase: 'last layer', fraction: 1 });
  const cost = { seconds: (performance.now() - started) / 1000, gradientSteps: 0, samplesVisited: 0 };
  return { variables: copy, cost, details: { classes: [...gone] } };
}
