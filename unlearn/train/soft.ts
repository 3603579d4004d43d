// SalUn-soft's update (Fan et al., "SalUn", ICLR 2024; RL_proximal in its code): which weights move is not fixed beforehand.
// After each step the changes from an anchor are shrunk by the k-th smallest of them, so that k weights are back at the
// anchor, others each time, and k falls as training goes on:
//   D = theta - anchor,   tau = k-th smallest |D| over all weights,   theta <- anchor + sign(D) max(|D| - tau, 0)

import type { Optimiser, OptimiserState } from '../../engine/optim.ts';
import * as lt from '../../index.ts';
import { aliasesOf } from './feed.ts';
import { kthSmallest } from './select.ts';

/** What a soft mask does after each step. */
export interface SoftSteps {
  /** How many weights the step puts back, 0 to all of them. */
  readonly held: Int32Array;
  /** 1 before which steps the weights become the anchor, 0 elsewhere. It is those at the start until then. */
  readonly renewed: Int32Array;
}

/** Around an optimiser. The anchor is a slot of its state, `anchor`. */
export const softMask =
  ({ held, renewed }: SoftSteps) =>
  (inner: Optimiser): Optimiser => ({
    init: (params) => ({ ...inner.init(params), anchor: aliasesOf(params as lt.tree.Tree<lt.Tensor>) }),
    update(grads, state, params) {
      const now = (table: Int32Array): lt.Tensor => lt.take(lt.tensor(table), state.step);
      const renew = now(renewed).greater(0);
      const anchor = lt.tree.map(
        (own: lt.Tensor, before: lt.Tensor) => lt.where(renew, own, before),
        params as lt.tree.Tree<lt.Tensor>,
        state.anchor,
      );
      const next = inner.update(grads, state, params);
      const apart = lt.tree.map(
        (p: lt.Tensor, a: lt.Tensor) => p.sub(a),
        next.params as lt.tree.Tree<lt.Tensor>,
        anchor,
      );
      const sizes = lt.tree.flatten<lt.Tensor>(apart).leaves.map((d) => lt.flatten(d.abs()));
      const threshold = kthSmallest(lt.concat(sizes), now(held));
      const shrunk = lt.tree.map(
        (a: lt.Tensor, d: lt.Tensor) => a.add(d.sign().mul(d.abs().sub(threshold).maximum(0))),
        anchor,
        apart,
      );
      return { params: shrunk as typeof params, state: { ...next.state, anchor } as OptimiserState };
    },
  });
