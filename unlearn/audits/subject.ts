// A model as an audit sees it: its answers on a set, and, where it is one network, the features before its last linear layer.
// What was computed once is kept, as several audits ask the same.

import type { Classifier, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { headOf, withHead } from '../methods/head.ts';
import { type PredictOptions, predictor } from '../predict.ts';
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
  /** The network itself; null where several answer together. */
  readonly network: NetworkOf | null;
  /** Input of the last linear layer on a split, in evaluation mode; there where `network` is. */
  features(split: Split, options?: PredictOptions): Promise<Features>;
}

/**
 * A network as a subject. Answers and features are computed once for each split.
 * @throws LetheError 'value', when features are asked for, where the model does not name its last layer.
 */
export function networkSubject(name: string, network: NetworkOf): Subject {
  const { model, variables } = network;
  const answers = remembered(async (split, options) => {
    const forward = predictor(model);
    try {
      return { logits: await forward.logits(variables, split, options), labels: split.labels };
    } finally {
      forward.dispose();
    }
  });
  const features = remembered((split, options) => featuresOf(network, split, options));
  return { name, network, answers, features };
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
