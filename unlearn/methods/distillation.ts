// Masked-target distillation. The student learns the original's answers on the forget set without the class that is to go:
//   minimise the mean of KL(q(x) || p(x; theta)) over D_f,   q_c ~ p_c(x; theta_o) exp(beta s_c), and 0 for the class left out
// `beta` 0 is DELETE (Zhou et al., "Decoupled Distillation to Erase", CVPR 2025), whose settings are the defaults. Above 0 it
// is the tilt of TREW towards classes like the forgotten one, with a similarity s of ours. See docs/methods/distillation.md.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { choice, num, section } from '../options/fields.ts';
import { batchNorm, inherited, maskable, opt, tuning } from '../options/training.ts';
import type { Objective } from '../train/objective.ts';
import { passedOn, tune } from '../train/tune.ts';
import type { Split } from '../types.ts';
import { define } from './define.ts';
import { divergence, EXCLUDED } from './divergence.ts';
import { type Head, headOf } from './head.ts';

const name = 'distillation';

export const distillation = define({
  name,
  title: 'Masked distillation',
  paper: 'DELETE: Zhou et al., "Decoupled Distillation to Erase", CVPR 2025; `beta` after TREW',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    "Learn the original's answers on the forget set without the forgotten class (DELETE, TREW).",
    {
      ...tuning({ epochs: 20, batchSize: 128, learningRate: 1e-4, weightDecay: 0 }),
      beta: opt(
        num(
          'How much more the targets favour classes that are like the forgotten one: 0 is DELETE.',
          0,
          1000,
        ),
        0,
      ),
      similarityTemperature: opt(
        num(
          "Of the softmax over cosines of the head's centred rows that says how alike classes are.",
          1e-3,
          1000,
        ),
        0.1,
      ),
      exclude: opt(
        choice(
          "What the targets leave out: a sample's `own` class, as the released code does, or all `forgotten` classes.",
          ['own', 'forgotten'],
        ),
        'own',
      ),
      retainWeight: opt(
        num(
          'Weight of the cross-entropy on a batch of what is kept beside each batch; 0 uses none.',
          0,
          1000,
        ),
        0,
      ),
      batchNorm,
      ...maskable,
      ...inherited,
    },
  ),
  inherits: ['augment'],
  search: { learningRate: { from: 1e-5, to: 1e-3, log: true }, beta: [0, 1, 3, 10] },
  cost: ({ forget, retain }, { epochs, batchSize, retainWeight }) => {
    const beside = retainWeight > 0 ? Math.ceil(forget / batchSize) * Math.min(batchSize, retain) : 0;
    // The original answers each forgotten sample, too.
    return { train: epochs * (forget + beside), infer: epochs * forget };
  },
  forgetStatistics: ({ batchNorm, retainWeight }) => batchNorm === 'train' && retainWeight === 0,

  async forget(options, input) {
    const { retainWeight, epochs } = options;
    const { model, variables: teacher, forget, retain } = input;
    const shift = targetShift(headOf(name, model, teacher.params), forget, options);
    const distil: Objective = (student, { forget: { images, labels } }, { network }) => {
      const { output, state } = network(student, images);
      const { output: known } = network(teacher, images, { train: false });
      return { loss: divergence(output, known.add(shift.take(labels))).mean(), state };
    };
    const both: Objective = (student, batches, context) => {
      const away = distil(student, batches, context);
      const kept = context.task.losses(context.network, { ...student, state: away.state }, batches.retain);
      return { loss: away.loss.add(kept.losses.mean().mul(retainWeight)), state: kept.state };
    };
    const withRetain = retainWeight > 0;
    const sets = { forget: { set: forget }, ...(withRetain ? { retain: { set: retain } } : {}) };
    const passes = [{ name: 'forget', sets, objective: withRetain ? both : distil }];
    try {
      const { variables, cost, history } = await tune(options, input.key, {
        name,
        ...passedOn(input),
        passes,
      });
      const samplesVisited = cost.samplesVisited + epochs * forget.size;
      return { variables, cost: { ...cost, samplesVisited }, details: { history } };
    } finally {
      shift.dispose();
    }
  },
});

interface Targets {
  readonly beta: number;
  readonly similarityTemperature: number;
  readonly exclude: 'own' | 'forgotten';
}

/**
 * What is added to the original's logits for a sample of class y, row y of [K, K]: beta s_c, and `EXCLUDED` for what is left
 * out. s is the softmax, over the other classes, of the cosines between the rows of the head less their mean.
 */
function targetShift(
  { weight }: Head,
  { labels }: Pick<Split, 'labels'>,
  { beta, similarityTemperature, exclude }: Targets,
): lt.Tensor {
  const classes = weight.shape[1];
  const gone = new Set(exclude === 'forgotten' ? labels : []);
  check(
    gone.size < classes && classes > 1,
    'value',
    () => `${name}: the targets leave out all ${classes} classes; expected one that is not forgotten`,
  );
  const out = Float32Array.from({ length: classes ** 2 }, (_, i) => {
    const [own, other] = [Math.floor(i / classes), i % classes];
    return own === other || gone.has(other) ? EXCLUDED : 0;
  });
  return lt.scope(() => {
    const left = lt.tensor(out, { shape: [classes, classes], dtype: weight.dtype });
    if (beta === 0) return left.add(0);
    const rows = weight.transpose();
    const centred = rows.sub(rows.mean(0));
    const unit = centred.div(centred.square().sum(1, true).sqrt().maximum(1e-12));
    const cosines = lt.matmul(unit, unit.transpose());
    return lt.softmax(cosines.div(similarityTemperature).add(left)).mul(beta).add(left);
  });
}
