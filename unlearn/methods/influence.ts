// An influence step: where would the weights lie had the forgotten samples not been there? One Newton step on the loss of
// what is kept, from the original's weights, where the gradient of all training data is taken to be 0:
//   w' = w + scale / |D_r| * (H + damping)^-1 * sum over D_f of grad loss,   H the Hessian of the mean loss on D_r
// (Koh and Liang, "Understanding Black-box Predictions via Influence Functions", ICML 2017; for removal Guo et al.,
// "Certified Data Removal", ICML 2020). The inverse is never formed: conjugate gradients need only products H v, which
// are exact Hessian-vector products, summed over all of D_r. Dropout is off and batch normalisation keeps its statistics.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { int, num, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { reduction } from '../reduce.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Tensors } from '../tasks/record.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import { networkOf } from '../train/network.ts';
import { conjugateGradients, plus, scaled, type Vector } from '../train/vectors.ts';
import { define } from './define.ts';

type Params = Variables['params'];

export const influence = define({
  name: 'influence',
  title: 'Influence',
  paper: 'Koh and Liang, "Understanding Black-box Predictions via Influence Functions", ICML 2017',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section('Take the forgotten samples’ influence off the weights: one step by an inverse Hessian.', {
    batchSize: opt(int('Samples per pass.', 1, 1_000_000), 256),
    scale: opt(num('Times the step; 1 is the step of the formula.', 0, 1000), 1),
    damping: opt(
      num('Added to the diagonal of the Hessian, which a deep network leaves indefinite.', 0, 1e6),
      0.1,
    ),
    iterations: opt(int('Conjugate-gradient iterations at most.', 1, 10_000), 30),
    tolerance: opt(num('Stop where the residual is this share of the right-hand side.', 0, 1), 1e-3),
  }),
  inherits: [],
  search: { scale: { from: 0.1, to: 100, log: true }, damping: { from: 1e-3, to: 1, log: true } },
  cost: ({ forget, retain }, { iterations }) => ({ train: forget + 2 * iterations * retain, infer: 0 }),
  forgetStatistics: () => false,

  async forget({ batchSize, scale, damping, iterations, tolerance }, input) {
    const { model, task = defaultTask(), variables, forget, retain, signal, onProgress } = input;
    const { params, state } = variables;
    const started = performance.now();
    const network = networkOf(model);
    const loss = (batch: Tensors, p: Params) =>
      task.losses(network, { params: p, state }, batch).losses.sum();
    const gradient = reduction((batch, p: Params) => lt.grad((at: Params) => loss(batch, at))(p), {
      task,
      name: 'influence gradient',
    });
    const curvature = reduction(
      (batch, p: Params, v: Vector) => lt.hvp((at: Params) => loss(batch, at), [p], [v]) as Vector,
      { task, name: 'influence Hessian' },
    );
    const damped = lt.jit((hv: Vector, v: Vector) => plus(scaled(hv, 1 / retain.size), v, damping), {
      donate: [0],
      name: 'influence damping',
    });
    const moved = lt.jit((p: Params, step: Vector) => plus(p, step, scale / retain.size) as Params, {
      name: 'influence step',
    });
    const how = { batchSize, signal };
    const say = (done: number) => onProgress?.({ phase: 'influence', fraction: done / (iterations + 1) });
    const made: unknown[] = [];
    try {
      const right = await gradient.sum(forget, [params], how);
      made.push(right);
      say(1);
      const apply = async (v: Vector) => {
        const hv = await curvature.sum(retain, [params, v], how);
        const sum = damped(hv, v);
        disposeTree(hv);
        return sum;
      };
      const onIteration = (done: number) => say(done + 1);
      const found = await conjugateGradients(apply, right as Vector, {
        iterations,
        tolerance,
        onIteration,
      });
      made.push(found.x);
      const { residuals, indefinite } = found;
      const next = { params: moved(params, found.x), state: aliasesOf(state) };
      onProgress?.({ phase: 'influence', fraction: 1 });
      const cost = {
        seconds: (performance.now() - started) / 1000,
        gradientSteps: 1,
        samplesVisited: forget.size + residuals.length * retain.size,
      };
      return { variables: next, cost, details: { residuals: [...residuals], indefinite } };
    } finally {
      disposeTree(made);
      for (const compiled of [gradient, curvature, damped, moved]) compiled.dispose();
    }
  },
});
