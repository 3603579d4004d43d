// Sums in their simplest form. The gradients of normalisation layers are full of sums of products with what does not vary
// along the summed axes, and without these rules each costs a pass over the whole tensor. They change the order of
// floating-point operations, which no other rules do.

import { isFloat } from '../../dtype.ts';
import type { EquationOf, Var } from '../graph.ts';
import { type Builder, rule } from './rule.ts';

const ofOne = rule({
  name: 'a sum over axes of size 1',
  of: ['sum'],
  match: (_, { inputs: [x], params }) => params.axes.every((a) => x.shape[a] === 1) && x,
  rewrite: (b, x, { outputs: [{ shape }] }) => b.call('reshape', [x], { shape }),
});

const ofNegatives = rule({
  name: 'a sum of negatives',
  of: ['sum'],
  match: (b, { inputs: [x] }) => b.is(x, 'neg')?.inputs[0] ?? null,
  rewrite: (b, x, { params }) => b.call('neg', b.call('sum', [x], params), {}),
});

/** Both ways to take a product apart; nothing for halves: a sum alone may be beyond them where that of products is not. */
function factorsOf(b: Builder, x: Var): (readonly [factor: Var, rest: Var])[] {
  const product = isFloat(x.dtype) && x.dtype !== 'float16' ? b.is(x, 'mul') : undefined;
  if (!product) return [];
  const [u, v] = product.inputs;
  return [
    [u, v],
    [v, u],
  ];
}

interface Factor {
  readonly rest: Var;
  /** A constant, or what is broadcast along the summed axes. */
  readonly by: number | EquationOf<'broadcast'>;
}

/** sum(x * c) is sum(x) * c where c does not vary along the summed axes. */
const ofProducts = rule({
  name: 'a sum of products with one factor',
  of: ['sum'],
  match(b, { inputs: [x], params: { axes } }): Factor | null {
    for (const [factor, rest] of factorsOf(b, x)) {
      const c = b.constant(factor);
      if (c !== undefined) return { rest, by: c };
      const e = b.is(factor, 'broadcast');
      if (!e) continue;
      const { dims } = e.params;
      if (dims.every((d, i) => !axes.includes(d) || e.inputs[0].shape[i] === 1)) return { rest, by: e };
    }
    return null;
  },
  rewrite(b, { rest, by }, { inputs: [x], params: { axes }, outputs: [{ shape }] }) {
    const [total] = b.call('sum', [rest], { axes });
    if (typeof by === 'number') return b.call('mul', [total, b.full(shape, by, x.dtype)[0]], {});
    const [small] = by.inputs;
    const { dims } = by.params;
    // Axes of the small factor that survive, as axes of the result.
    const kept = dims.map((d, i) => ({ d, i })).filter(({ d }) => !axes.includes(d));
    const squeezed = b.call('reshape', [small], { shape: kept.map(({ i }) => small.shape[i]) })[0];
    const to = kept.map(({ d }) => d - axes.filter((a) => a < d).length);
    return b.call('mul', [total, b.call('broadcast', [squeezed], { shape, dims: to })[0]], {});
  },
});

/** Before rules that take a sum of a max-pool's gradient apart, and after them. */
export const plainSums = [ofOne, ofNegatives];
export const productSums = [ofProducts];
