// Boundary Expanding (Chen et al., Boundary Unlearning, CVPR 2023): give the forgotten samples a place of their own,
// then take the place away. The head gets one more output, the shadow class; all parameters are trained to send the
// forget set there; then the output is cut off and what used to come second decides. Only the forget set is used, and
// no neighbour is searched.

import { check } from '../../engine/error.ts';
import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { choice, section } from '../options/fields.ts';
import { batchNorm, maskable, opt, tuning } from '../options/training.ts';
import { relabelled } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import { disposeTree } from '../train/feed.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';
import { type Head, headOf, withHead } from './head.ts';

const name = 'boundaryExpanding';

export const boundaryExpanding = define({
  name,
  title: 'Boundary Expanding',
  paper: 'Chen, Gao, Liu, Peng and Wang, "Boundary Unlearning", CVPR 2023',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Send the forget set to a shadow class that is cut off afterwards (Boundary Expanding).', {
    ...tuning({ epochs: 10, batchSize: 64, learningRate: 1e-5, weightDecay: 0 }),
    shadowInit: opt(
      choice(
        "First weights of the shadow class: `xavier` normal and no bias, as the authors' code draws them; `default` as PyTorch's linear layer does, in SalUn's version.",
        ['xavier', 'default'],
      ),
      'xavier',
    ),
    batchNorm,
    ...maskable,
  }),
  inherits: [],
  search: { learningRate: { from: 1e-6, to: 1e-3, log: true } },
  cost: ({ forget }, { epochs }) => ({ train: epochs * forget, infer: 0 }),
  forgetStatistics: (options) => options.batchNorm === 'train',

  async forget(options, input) {
    const { model, key, forget } = input;
    const free = input.mask && widenMask(model, input.mask);
    const widened = widen(model, input.variables, key, options.shadowInit);
    const shadow = headOf(name, model, input.variables.params).bias.size;
    const change = (batch: Batch) => relabelled(batch, new Int32Array(batch.indices.length).fill(shadow));
    try {
      const passes = [{ name: 'forget', sets: { forget: { set: forget, change } } }];
      const result = await tune(options, key, {
        name,
        ...passedOn(input),
        variables: widened.variables,
        mask: free?.mask,
        passes,
      });
      const variables = prune(model, result.variables, shadow);
      return { variables, cost: result.cost, details: { prunedRows: 1, history: result.history } };
    } finally {
      widened.dispose();
      free?.dispose();
    }
  },
});

/**
 * First weights of the shadow class, [features, 1] and [1]. 'xavier': normal with variance 2 / (features + classes + 1) and
 * no bias (the authors' code); 'default': both uniform within 1 / sqrt(features), as PyTorch's linear layer (SalUn's).
 */
export function shadowClass(
  key: lt.Tensor,
  [features, classes]: readonly number[],
  init: 'xavier' | 'default',
  dtype: lt.DType,
) {
  const [k1, k2] = lt.random.split(lt.random.foldIn(key, 1), 2);
  const bound = 1 / Math.sqrt(features);
  if (init === 'default')
    return {
      weight: lt.random.uniform(k1, [features, 1], -bound, bound, dtype),
      bias: lt.random.uniform(k2, [1], -bound, bound, dtype),
    };
  const deviation = Math.sqrt(2 / (features + classes + 1));
  return { weight: lt.random.normal(k1, [features, 1], dtype).mul(deviation), bias: lt.zeros([1], dtype) };
}

/** The variables with a head for one class more. */
function widen(model: Model, { params, state }: Variables, key: lt.Tensor, init: 'xavier' | 'default') {
  const head = headOf(name, model, params);
  const [features, classes] = head.weight.shape;
  const wide = lt.scope(() => {
    const shadow = shadowClass(key, [features, classes], init, head.weight.dtype);
    return appended(head, shadow.weight, shadow.bias);
  });
  return { variables: { params: withHead(model, params, wide), state }, dispose: () => disposeTree(wide) };
}

/** The mask for the wide head: whatever it hides, the shadow class may move. */
function widenMask(model: Model, mask: Variables['params']) {
  const head = headOf(name, model, mask);
  const wide = lt.scope(() => appended(head, lt.full([head.weight.shape[0], 1], true), lt.full([1], true)));
  return { mask: withHead(model, mask, wide), dispose: () => disposeTree(wide) };
}

const appended = ({ weight, bias }: Head, column: lt.Tensor, entry: lt.Tensor): Head => ({
  weight: lt.concat([weight, column], 1),
  bias: lt.concat([bias, entry]),
});

/** Cuts the shadow class off; the wide head is disposed. */
function prune(model: Model, { params, state }: Variables, classes: number): Variables {
  const wide = headOf(name, model, params);
  const [features] = wide.weight.shape;
  const head = {
    weight: lt.slice(wide.weight, [0, 0], [features, classes]),
    bias: lt.slice(wide.bias, [0], [classes]),
  };
  wide.weight.dispose();
  wide.bias.dispose();
  const pruned = withHead(model, params, head);
  const { shape } = headOf(name, model, pruned).weight;
  check(shape[1] === classes, 'state', () => `${name}: the pruned head is [${shape.join(', ')}]`);
  return { params: pruned, state };
}
