// The two parts of an influence step: the gradient it starts from, and an inverse curvature times that.

import * as lt from '../../index.ts';
import { defaultTask } from '../tasks/index.ts';
import { someOf } from '../tasks/views.ts';
import { type Curvature, curvatureOf, type SolveBy } from '../train/curvature.ts';
import { disposeTree } from '../train/feed.ts';
import { weightedGradient } from '../train/gradients.ts';
import { seedOf } from '../train/tune.ts';
import { plus, scaled, type Vector } from '../train/vectors.ts';
import type { UnlearnInput } from '../types.ts';
import type { InfluenceOptions } from './influence.ts';
import { woodFisher } from './woodFisher.ts';

/** v, the caller's to dispose: sums of gradients over D_f and D_r and the parameters, each times its factor. */
export async function rightHandSide(how: InfluenceOptions, input: UnlearnInput): Promise<Vector> {
  const { forget, retain, variables } = input;
  const [f, r] = [forget.size, retain.size];
  const [ofForget, ofRetain, ofPenalty] = {
    forget: [1 / r, 0, (how.weightDecay * f) / r],
    retain: [0, -1 / r, -how.weightDecay],
    difference: [1 / (f + r), -f / ((f + r) * r), 0],
  }[how.gradient];
  const join = lt.jit(
    (p: Vector, parts: Vector[]) => parts.reduce((sum, part) => plus(sum, part), scaled(p, ofPenalty)),
    { name: 'influence right-hand side' },
  );
  const parts: Vector[] = [];
  try {
    for (const [samples, factor] of [
      [forget, ofForget],
      [retain, ofRetain],
    ] as const) {
      if (factor === 0) continue;
      const weights = new Float64Array(samples.size).fill(factor);
      parts.push(await weightedGradient({ ...overOf(how, input), samples }, weights));
    }
    return join(variables.params, parts);
  } finally {
    disposeTree(parts);
    join.dispose();
  }
}

const overOf = ({ batchSize }: InfluenceOptions, { model, task, variables, signal }: UnlearnInput) => ({
  model,
  task: task ?? defaultTask(),
  variables,
  batchSize,
  signal,
});

/** The inverse times v, the caller's to dispose, with what the method tells of it. */
export async function inverseTimes(
  how: InfluenceOptions,
  input: UnlearnInput,
  b: Vector,
  onPart: (done: number) => void,
) {
  const { solver, curvature, damping, weightDecay, iterations, repeats, tolerance, block, samples: n } = how;
  const over = overOf(how, input);
  const { retain } = input;
  const solved = async (map: Curvature, by: SolveBy) => {
    try {
      return { ...(await map.solve(b, by)), samplesVisited: map.samplesVisited };
    } finally {
      map.dispose();
    }
  };
  const seed = await seedOf(input.key);
  if (solver === 'released') {
    // The loop over single samples ends after N + 2 of them, and N stays where there are fewer.
    const first = { ...over, ...(await someOf(over.task, retain, n + 2)) };
    return woodFisher(first, n, b);
  }
  if (solver === 'lowRank') {
    const drawn = { ...over, ...(await someOf(over.task, retain, n, seed)) };
    return solved(curvatureOf({ ...drawn, product: 'fisher', damping, weightDecay }), {
      solver,
      block,
      onBlock: onPart,
    });
  }
  const map = curvatureOf({ ...over, samples: retain, product: curvature, damping, weightDecay });
  if (solver === 'conjugateGradients')
    return solved(map, {
      solver,
      iterations,
      tolerance,
      onIteration: (done) => onPart(done / iterations),
    });
  const onIteration = (done: number) => onPart(done / (repeats * iterations));
  return solved(map, { solver, iterations, repeats, scale: how.lissaScale, seed, onIteration });
}
