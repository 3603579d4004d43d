// The gradient of a max-pool is a scatter of small updates to the maxima of their windows. Work on it is done on the updates.

import { sizeOf } from '../../dtype.ts';
import type { EquationOf, Var } from '../graph.ts';
import { type Builder, rule } from './rule.ts';

const behindReshape = (b: Builder, v: Var): Var => b.is(v, 'reshape')?.inputs[0] ?? v;

interface Pooled {
  readonly scatter: EquationOf<'scatterAlong'>;
  readonly pool: EquationOf<'maxPool'>;
}

/** Where v is the gradient of a max-pool, in whatever shape: the scatter to the maxima, and the pool. */
function pooledScatter(b: Builder, v: Var): Pooled | null {
  const scatter = b.is(behindReshape(b, v), 'scatterAlong');
  const pool = scatter && b.is(behindReshape(b, scatter.inputs[1]), 'maxPool');
  if (!pool) return null;
  const { axis, size } = scatter.params;
  const [, height, width, channels] = pool.inputs[0].shape;
  // It sees the pixels of one image after the other, channels last: every position is inside.
  const fits = size === height * width && sizeOf(scatter.inputs[0].shape.slice(axis + 1)) === channels;
  return fits ? { scatter, pool } : null;
}

/**
 * The gradient of maxPool(y) with y = relu(x) is select(0 < y, spread, 0), where `spread` scatters each update to the
 * maximum of its window. The value there is what the pool returned, so the small updates can be masked in place of the
 * large result, and y need not be kept for the backward pass.
 */
const maskedSpread = rule({
  name: "a mask on a max-pool's gradient",
  of: ['select'],
  match(b, { inputs: [mask, spread, zero] }) {
    const less = b.is(mask, 'less');
    const found = pooledScatter(b, spread);
    if (!less || !found || b.constant(zero) !== 0 || b.constant(less.inputs[0]) !== 0) return null;
    return behindReshape(b, found.pool.inputs[0]) === behindReshape(b, less.inputs[1]) && found;
  },
  rewrite(b, { scatter, pool }, { inputs: [, spread] }) {
    const [updates, positions] = scatter.inputs;
    const { shape, dtype } = updates;
    const pooled = b.call('reshape', [pool.outputs[0]], { shape })[0];
    const positive = b.call('less', [b.full(shape, 0, dtype)[0], pooled], {})[0];
    const masked = b.call('select', [positive, updates, b.full(shape, 0, dtype)[0]], {})[0];
    const result = b.call('scatterAlong', [masked, positions], scatter.params)[0];
    return b.call('reshape', [result], { shape: spread.shape });
  },
});

/** The sum over all pixels of a max-pool's gradient (that of a bias) is the sum of what was scattered. */
const summedSpread = rule({
  name: "a sum of a max-pool's gradient",
  of: ['sum'],
  match(b, { inputs: [x], params: { axes } }) {
    const found = pooledScatter(b, x);
    if (!found) return null;
    const [updates] = found.scatter.inputs;
    const { axis, size } = found.scatter.params;
    const kept = x.shape.length - 1 - axes.length;
    // Leading axes and the channels stay; what is between goes, whole images of it.
    const channels = x.shape[x.shape.length - 1];
    const samples = sizeOf(x.shape.slice(0, kept));
    const images = sizeOf(updates.shape.slice(0, axis)) / samples;
    const between =
      axes.every((a, i) => a === kept + i) && channels === sizeOf(updates.shape.slice(axis + 1));
    if (!between || !Number.isInteger(images)) return null;
    if (sizeOf(axes.map((a) => x.shape[a])) !== images * size) return null;
    // Updates as samples, what goes, channels.
    return { updates, shape: [samples, images * updates.shape[axis], channels] };
  },
  rewrite(b, { updates, shape }, { outputs: [out] }) {
    const lines = b.call('reshape', [updates], { shape });
    return b.call('reshape', b.call('sum', lines, { axes: [1] }), { shape: out.shape });
  },
});

export const poolingRules = [maskedSpread, summedSpread];
