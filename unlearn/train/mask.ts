// Masks: which weights an unlearning method may move. A mask is a tree of bools like the parameters, true where a weight
// moves. It holds a share of all weights, not of each layer's: the saliency mask those whose gradient of the forget set's
// loss is largest (Fan et al., "SalUn", ICLR 2024), the random mask any, to compare it with. How a mask acts on an update
// is `masked` in update.ts.

import { check } from '../../engine/error.ts';
import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { Stream } from '../random.ts';
import { reduction, type SweepOptions } from '../reduce.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Task } from '../tasks/record.ts';
import type { Split, UnlearnInput, UnlearnResult } from '../types.ts';
import { disposeTree } from './feed.ts';
import { networkOf } from './network.ts';
import { largest } from './select.ts';
import { seedOf } from './tune.ts';

type Params = Variables['params'];

const RANDOM = 0x6d61736b;

const leavesOf = (tree: unknown): lt.Tensor[] => lt.tree.flatten<lt.Tensor>(tree).leaves;
const valuesOf = (tree: unknown) =>
  Promise.all(leavesOf(tree).map((leaf): Promise<lt.TypedArray> => leaf.data()));

/** What a saliency mask is made of. */
export interface SaliencyInput<S extends Samples = Split> extends SweepOptions {
  /** The network. */
  readonly model: Model;
  /** What the samples are and what is lost on them; classification of images by default. */
  readonly task?: Task<S>;
  /** The original's; they stay the caller's. */
  readonly variables: Variables;
  /** Samples to be forgotten. */
  readonly forget: S;
  /** Share of the weights that are to move, 0 to 1. */
  readonly density: number;
}

/**
 * SalUn's mask: true for the floor(density P) of all P parameters at which the gradient of the task's mean loss over the
 * forget set is largest in absolute value; of equals those that come first in the tree. Gradients are added up with
 * their signs, in evaluation mode and without augmentation. The caller disposes the tree.
 * @throws LetheError 'value' for a density out of range, an empty set and gradients that are not finite; what the
 * signal was aborted with.
 */
export async function saliencyMask<S extends Samples = Split>(input: SaliencyInput<S>): Promise<Params> {
  const { model, task = defaultTask<S>(), variables, forget, density, ...how } = input;
  checkDensity('saliencyMask', density);
  task.check('saliencyMask: forget', forget);
  const network = networkOf(model);
  // A sum in place of the mean: the order is the same, and a last batch that is smaller weighs no more.
  const gradient = reduction(
    (batch, { params, state }: Variables) =>
      lt.grad((p: Params) => task.losses(network, { params: p, state }, batch).losses.sum())(params),
    { task, name: 'saliency mask' },
  );
  try {
    const sums = await gradient.sum(forget, [variables], how);
    try {
      const values = await valuesOf(sums);
      const bad = values.findIndex((array) => !Array.prototype.every.call(array, Number.isFinite));
      check(
        bad < 0,
        'value',
        () => `saliencyMask: the gradient of ${lt.tree.entries(sums)[bad][0]} is not finite`,
      );
      return marked(variables.params, values, density);
    } finally {
      disposeTree(sums);
    }
  } finally {
    gradient.dispose();
  }
}

/**
 * True for floor(density P) of all P parameters, chosen by the key alone: a saliency mask of the same density is to do
 * better than this. The caller disposes the tree.
 * @throws LetheError 'value' for a density out of range.
 */
export async function randomMask({
  variables,
  density,
  key,
}: {
  /** The original's, for the shapes. */
  readonly variables: Variables;
  /** Share of the weights that are to move, 0 to 1. */
  readonly density: number;
  /** Decides which. */
  readonly key: lt.Tensor;
}): Promise<Params> {
  checkDensity('randomMask', density);
  const stream = new Stream(await seedOf(key), 0, 0, RANDOM);
  const draws = leavesOf(variables.params).map(({ size }) =>
    Uint32Array.from({ length: size }, () => stream.word()),
  );
  return marked(variables.params, draws, density);
}

/** The mask of the share of largest values, given for each leaf of a tree. */
function marked(like: Params, values: readonly lt.TypedArray[], density: number): Params {
  const { leaves, def } = lt.tree.flatten<lt.Tensor>(like);
  const total = leaves.reduce((sum, { size }) => sum + size, 0);
  const marks = largest(values, Math.floor(density * total));
  return lt.tree.unflatten(
    def,
    leaves.map(({ shape }, i) => lt.tensor(marks[i], { shape, dtype: 'bool' })),
  ) as Params;
}

const checkDensity = (name: string, density: number): void =>
  check(
    density >= 0 && density <= 1,
    'value',
    () => `${name}: density is ${density}, expected a share from 0 to 1`,
  );

function checkMask(name: string, mask: Params, params: Params): void {
  const forms = (tree: Params) =>
    lt.tree.entries<lt.Tensor>(tree).map(([path, { shape }]) => `${path} [${shape.join(', ')}]`);
  const [given, wanted] = [forms(mask), forms(params)];
  const at = wanted.findIndex((form, i) => given[i] !== form);
  check(
    at < 0 && given.length === wanted.length,
    'shape',
    () =>
      `${name}: the mask has ${given[at] ?? given.length}, expected ${wanted[at] ?? wanted.length} as the parameters`,
  );
  for (const [path, { dtype }] of lt.tree.entries<lt.Tensor>(mask))
    check(dtype === 'bool', 'dtype', () => `${name}: ${path} of the mask is ${dtype}, expected bool`);
}

/** Share of the entries that are true. */
async function densityOf(mask: Params): Promise<number> {
  let [kept, total] = [0, 0];
  for (const marks of await valuesOf(mask)) {
    for (const mark of marks) kept += mark;
    total += marks.length;
  }
  return kept / total;
}

/** What a method's options may say of its mask; see `maskable` in options/training.ts. */
interface MaskOptions {
  readonly mask?: string;
  readonly density?: number;
  readonly batchSize?: number;
}

/** Whether these options have a mask made from gradients of the forget set, which goes through the network once for it. */
export const asksForSaliency = ({ mask }: MaskOptions): boolean => mask === 'saliency';

/**
 * Runs a method with the mask of its input or, where there is none, the one that its options ask for. Adds what the mask
 * cost, and `maskDensity`, the share of weights that may move.
 */
export async function withMask(
  name: string,
  options: MaskOptions,
  input: UnlearnInput,
  forget: (input: UnlearnInput) => Promise<UnlearnResult>,
): Promise<UnlearnResult> {
  const { mask: kind, density = 0.5, batchSize } = options;
  const saliency = !input.mask && asksForSaliency(options);
  const started = performance.now();
  const { variables, key, signal, onProgress } = input;
  const make = async (): Promise<Params | undefined> => {
    if (kind === 'random') return randomMask({ variables, density, key });
    const onBatch = (done: number) =>
      onProgress?.({ phase: 'saliency mask', fraction: done / input.forget.size });
    return saliency ? saliencyMask({ ...input, density, batchSize, signal, onBatch }) : undefined;
  };
  const mask = input.mask ?? (await make());
  if (!mask) return forget(input);
  try {
    checkMask(name, mask, variables.params);
    const maskDensity = await densityOf(mask);
    const seconds = (performance.now() - started) / 1000;
    const { cost, details, ...result } = await forget({ ...input, mask });
    return {
      ...result,
      cost: {
        ...cost,
        seconds: cost.seconds + seconds,
        samplesVisited: cost.samplesVisited + (saliency ? input.forget.size : 0),
      },
      details: { ...details, maskDensity },
    };
  } finally {
    if (mask !== input.mask) disposeTree(mask);
  }
}
