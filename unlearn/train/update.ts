// What a method may put around an optimiser: a mask, a proximal step, a projection. Each takes an optimiser and gives one
// with the same two functions, so they combine, and all of an update stays one compiled program.

import type { Optimiser, OptimiserState, Rate } from '../../engine/optim.ts';
import * as lt from '../../index.ts';

type Params = lt.tree.Tree<lt.Tensor>;

/** Of two trees the entries of `after` where the mask is true, of `before` where it is not. */
export const chosenBy = <T>(mask: Params, after: T, before: T): T =>
  lt.tree.map(
    (m: lt.Tensor, a: lt.Tensor, b: lt.Tensor) => lt.where(m, a, b),
    mask,
    after as Params,
    before as Params,
  ) as unknown as T;

/** `after` where there is no mask, else of it what the mask lets move and the rest of `before`. */
export const within = <T>(mask: Params | undefined, after: T, before: T): T =>
  mask ? chosenBy(mask, after, before) : after;

/**
 * Only parameters where the mask is true move. Old or new is chosen for each weight and for each slot of the optimiser's
 * state (velocity, moments), so that what is masked keeps its bits, under weight decay and momentum too.
 * @param mask tree of bools with the shapes of the parameters.
 */
export const masked =
  (mask: Params) =>
  (inner: Optimiser): Optimiser => ({
    init: (params) => inner.init(params),
    update(grads, state, params) {
      const next = inner.update(grads, state, params);
      const slots = Object.entries(next.state).map(([name, slot]) =>
        likeParams(slot, params) ? [name, chosenBy(mask, slot, state[name])] : [name, slot],
      );
      return {
        params: chosenBy(mask, next.params, params),
        state: Object.fromEntries(slots) as OptimiserState,
      };
    },
  });

/** Whether a slot holds one array for each parameter. */
function likeParams(slot: unknown, params: unknown): boolean {
  const form = (tree: unknown) =>
    JSON.stringify(lt.tree.entries<lt.Tensor>(tree).map(([path, { shape }]) => [path, shape]));
  return form(slot) === form(params);
}

/**
 * After each update the parameters go through `map`, such as a proximal step (the soft threshold of an l1 penalty) or a
 * projection (back into a ball around the original).
 * @param map pure and traceable; gets the parameters after and before the update, and the number of updates before it.
 */
export const followedBy =
  (map: <P>(params: P, before: P, step: lt.Tensor) => P) =>
  (inner: Optimiser): Optimiser => ({
    init: (params) => inner.init(params),
    update(grads, state, params) {
      const next = inner.update(grads, state, params);
      return { params: map(next.params, params, state.step), state: next.state };
    },
  });

/** The rate for the update after `step`, in the type of a parameter. */
const rateOf = (rate: Rate, step: lt.Tensor, { dtype }: lt.Tensor): lt.Tensor | number =>
  typeof rate === 'number' ? rate : rate(step.astype(dtype));

/**
 * The proximal step of `threshold` times the sum of absolute values: each weight moves towards 0 by it, and stops there.
 * @param threshold a number, or one for each step, as learning rates are.
 */
export const softThreshold = (threshold: Rate) =>
  followedBy(
    <P>(params: P, _: P, step: lt.Tensor): P =>
      lt.tree.map(
        (p: lt.Tensor) =>
          p.sign().mul(
            p
              .abs()
              .sub(rateOf(threshold, step, p))
              .maximum(0),
          ),
        params as Params,
      ) as unknown as P,
  );

/**
 * The subgradient alpha sign(w) of alpha times the sum of absolute values is added to the gradient, as if the penalty were
 * part of the loss; 0 at 0.
 * @param alpha a number, or one for each step, as learning rates are.
 */
export const l1Penalty =
  (alpha: Rate) =>
  (inner: Optimiser): Optimiser => ({
    init: (params) => inner.init(params),
    update<P>(grads: P, state: OptimiserState, params: P) {
      const penalised = lt.tree.map(
        (g: lt.Tensor, p: lt.Tensor) => g.add(p.sign().mul(rateOf(alpha, state.step, p))),
        grads as Params,
        params as Params,
      );
      return inner.update(penalised as unknown as P, state, params);
    },
  });

/** Back to the nearest point of the ball of this radius (Euclidean, over all parameters) around `centre`. */
export const withinBall = (centre: Params, radius: number) =>
  followedBy(<P>(params: P): P => {
    const apart = lt.tree.map((p: lt.Tensor, c: lt.Tensor) => p.sub(c), params as Params, centre);
    const squares = lt.tree.flatten<lt.Tensor>(apart).leaves.map((d) => d.square().sum());
    const distance = squares.reduce((a, b) => a.add(b)).sqrt();
    const factor = lt.where(distance.less(radius), 1, lt.div(radius, distance.maximum(radius)));
    return lt.tree.map((c: lt.Tensor, d: lt.Tensor) => c.add(d.mul(factor)), centre, apart) as unknown as P;
  });
