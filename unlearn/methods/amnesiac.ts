// The two methods of Graves, Nagisetty and Ganesh, "Amnesiac Machine Learning" (AAAI 2021). `relabel`: each forgotten sample
// gets an incorrect label, drawn once, and training goes on over all samples (many papers call this one "Amnesiac").
// `undo`: the updates of all batches that held a forgotten sample are taken off the weights, then training goes on over
// what is kept. Undoing needs a record of the original's training: recordUpdates in train/undo.ts.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { joinSplits } from '../data/split.ts';
import { choice, int, num, section } from '../options/fields.ts';
import { batchNorm, inherited, maskable, opt, tuning } from '../options/training.ts';
import { labelsOf, relabelled } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import type { Pass } from '../train/schedule.ts';
import { passedOn, seedOf, tune } from '../train/tune.ts';
import { undoUpdates } from '../train/undo.ts';
import { chosenBy } from '../train/update.ts';
import type { UnlearnInput } from '../types.ts';
import { define } from './define.ts';
import { headOf } from './head.ts';
import { randomLabel } from './randomLabels.ts';

const name = 'amnesiac';

export const amnesiac = define({
  name,
  title: 'Amnesiac',
  paper: 'Graves, Nagisetty and Ganesh, "Amnesiac Machine Learning", AAAI 2021',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Go on training with incorrect labels on the forget set, or take back the updates of the batches that held it (Amnesiac).',
    {
      variant: opt(
        choice(
          '`relabel`: train on all samples, the forgotten ones with an incorrect label drawn once; `undo`: take back what the batches with forgotten samples changed, then train on what is kept. `undo` needs a record of the original’s training, which a run makes by training it once more.',
          ['relabel', 'undo'],
        ),
        'relabel',
      ),
      storage: opt(
        num(
          'With `undo`, in a run: gigabytes that the record may take; one that could take more is refused.',
          0,
          1e6,
        ),
        4,
      ),
      copies: opt(
        int(
          'With `relabel`: how often each forgotten sample appears, each time with a label of its own.',
          1,
          1000,
        ),
        1,
      ),
      ...tuning({ epochs: 10, batchSize: 64, learningRate: 1e-3, weightDecay: 0 }),
      epochs: opt(int('Epochs of training afterwards; 0, with `undo`, for none.', 0, 100_000), 10),
      optimizer: opt(choice('Optimiser.', ['adam', 'sgd', 'adamw']), 'adam'),
      batchNorm,
      ...maskable,
      ...inherited,
    },
  ),
  inherits: ['augment'],
  search: { learningRate: { from: 1e-4, to: 1e-2, log: true }, epochs: [1, 2, 5, 10] },
  cost: ({ forget, retain }, { variant, epochs, copies }) => ({
    train: epochs * (retain + (variant === 'relabel' ? copies * forget : 0)),
    infer: 0,
  }),
  forgetStatistics: () => false,
  updates: ({ variant, storage }) => (variant === 'undo' ? { bytes: storage * 1e9 } : null),

  async forget(options, input) {
    const { epochs, copies } = options;
    const { forget, retain, key } = input;
    if (options.variant === 'relabel') {
      check(epochs > 0, 'value', () => `${name}: relabel is nothing without epochs; expected 1 or more`);
      const classes = headOf(name, input.model, input.variables.params).bias.size;
      const draw = { classes, seed: await seedOf(key), excludeTrueLabel: true };
      const wrong = copies * forget.size;
      const change = (batch: Batch) =>
        relabelled(
          batch,
          labelsOf(batch).map((label, i) =>
            batch.indices[i] < wrong ? randomLabel(draw, label, batch.indices[i], 0) : label,
          ),
        );
      const set = joinSplits(...Array.from({ length: copies }, () => forget), retain);
      const passes: Pass[] = [{ name: 'all, relabelled', sets: { all: { set, change } } }];
      const { history, ...result } = await tune(options, key, { name, ...passedOn(input), passes });
      return { ...result, details: { history } };
    }
    const started = performance.now();
    const { variables, undone, steps } = await undo(input);
    const facts = { undone, steps };
    const seconds = (performance.now() - started) / 1000;
    if (epochs === 0)
      return { variables, cost: { seconds, gradientSteps: 0, samplesVisited: 0 }, details: facts };
    try {
      const passes: Pass[] = [{ name: 'retain', sets: { retain: { set: retain } } }];
      const { history, ...result } = await tune(options, key, {
        name,
        ...passedOn(input),
        variables,
        passes,
      });
      const cost = { ...result.cost, seconds: seconds + result.cost.seconds };
      return { ...result, cost, details: { ...facts, history } };
    } finally {
      disposeTree(variables);
    }
  },
});

async function undo({ variables, forget, mask, updates, signal, onProgress }: UnlearnInput) {
  check(
    updates,
    'value',
    () =>
      `${name}: undo needs updates, a record of the original's training; train it with hooks: [recordUpdates(store)] and hand the store in as updates, or take variant relabel`,
  );
  const onFraction = (fraction: number) => onProgress?.({ phase: 'undo', fraction });
  const undone = await undoUpdates(updates, variables, new Set(forget.ids), { signal, onFraction });
  if (!mask) return undone;
  try {
    const params = lt.scope(() => chosenBy(mask, undone.variables.params, variables.params));
    return { ...undone, variables: { params, state: aliasesOf(undone.variables.state) } };
  } finally {
    disposeTree(undone.variables);
  }
}
