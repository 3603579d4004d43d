// A model as an audit sees it: its answers on a set, and, where it is one network, the features before its last linear layer.
// What was computed once is kept, as several audits ask the same.

import { LetheError } from '../../engine/error.ts';
import type { Classifier, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { Answer } from '../evaluate.ts';
import { headOf, withHead } from '../methods/head.ts';
import { type PredictOptions, predict, predictor } from '../predict.ts';
import type { Outputs } from '../statistics/outputs.ts';
import type { Split } from '../types.ts';

/** One number for each sample and feature. */
export interface Features {
  /** [size, width], row by row. */
  readonly values: Float32Array;
  /** Features of a sample. */
  readonly width: number;
  /** Class of each sample, [size]. */
  readonly labels: Int32Array;
}

/** A network with its weights; they stay the caller's. */
export interface NetworkOf {
  /** Its architecture. */
  readonly model: Classifier;
  /** Its weights. */
  readonly variables: Variables;
}

/** A model that is audited, or that one is compared with. */
export interface Subject {
  /** What it is in messages: the label of its row. */
  readonly name: string;
  /** Logits, or logarithms of probabilities, on a split. */
  answers(split: Split, options?: PredictOptions): Promise<Outputs>;
  /** The network itself; null where several answer together, or where its weights are there only while it answers. */
  readonly network: NetworkOf | null;
  /** Whether it is one network, which has features; several that answer together have none in common. */
  readonly hasFeatures: boolean;
  /** Input of the last linear layer on a split, in evaluation mode. @throws LetheError 'value' where it has none. */
  features(split: Split, options?: PredictOptions): Promise<Features>;
}

/**
 * A network as a subject. Answers and features are computed once for each split.
 * @throws LetheError 'value', when features are asked for, where the model does not name its last layer.
 */
export const networkSubject = (name: string, network: NetworkOf): Subject => ({
  ...lentSubject(name, (work) => work(network)),
  network,
});

/** Hands a network to a piece of work, and takes it back when that is done. */
export type Lend = <T>(work: (network: NetworkOf) => Promise<T>) => Promise<T>;

/** As `networkSubject`, of a network whose weights are there only while it answers: its `network` is null. */
export const lentSubject = (name: string, lend: Lend): Subject => ({
  name,
  network: null,
  hasFeatures: true,
  answers: remembered((split, options) => lend((network) => answersOf(network, split, options))),
  features: remembered((split, options) => lend((network) => featuresOf(network, split, options))),
});

async function answersOf(
  { model, variables }: NetworkOf,
  split: Split,
  options?: PredictOptions,
): Promise<Outputs> {
  return { logits: await predict(model, variables, split, options), labels: split.labels };
}

/** Several networks that answer together, as a subject without features. @param answer logits or logarithms of shares. */
export function votingSubject(name: string, answer: Answer): Subject {
  const answers = remembered(async (split, options = {}) => ({
    logits: await answer(split, options),
    labels: split.labels,
  }));
  const features = async (): Promise<never> => {
    throw new LetheError(
      'value',
      `${name}: several networks answer together, and have no features in common`,
    );
  };
  return { name, network: null, hasFeatures: false, answers, features };
}

/** The input of the last linear layer: what the network answers with the identity in that layer's place. */
async function featuresOf(
  { model, variables }: NetworkOf,
  split: Split,
  options?: PredictOptions,
): Promise<Features> {
  const [width] = headOf('features', model, variables.params).weight.shape;
  // What eye() itself needs goes with the scope.
  const { weight, bias } = lt.scope(() => ({ weight: lt.eye(width), bias: lt.zeros([width]) }));
  const forward = predictor(model);
  try {
    const params = withHead(model, variables.params, { weight, bias });
    const values = await forward.logits({ params, state: variables.state }, split, options);
    return { values, width, labels: split.labels };
  } finally {
    forward.dispose();
    weight.dispose();
    bias.dispose();
  }
}

type Look<T> = (split: Split, options?: PredictOptions) => Promise<T>;

/** The same, computed once for each split; what failed is tried again. */
function remembered<T>(look: Look<T>): Look<T> {
  const known = new WeakMap<Split, Promise<T>>();
  return (split, options) => {
    const found = known.get(split) ?? look(split, options);
    known.set(split, found);
    found.catch(() => known.delete(split));
    return found;
  };
}
