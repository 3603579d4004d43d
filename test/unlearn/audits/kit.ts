// Made-up models for the tests of audits: a network whose features are the pixels themselves, so that every number can be
// foreseen, and subjects that answer from a table.

import type { Classifier, Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import type { AuditInput } from '../../../unlearn/audits/record.ts';
import { networkSubject, type Subject } from '../../../unlearn/audits/subject.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import type { Outputs } from '../../../unlearn/statistics/outputs.ts';
import type { Split } from '../../../unlearn/types.ts';
import { draws } from '../statistics/samples.ts';

/** Pixels of a sample are its class's centre plus noise of that deviation, all in bytes. */
export function blobs(
  labels: readonly number[],
  centres: readonly (readonly number[])[],
  { noise = 10, seed = 1, firstId = 0 } = {},
): Split {
  const { normal } = draws(seed);
  const d = centres[0].length;
  const images = Uint8Array.from({ length: labels.length * d }, (_, i) =>
    Math.max(0, Math.min(255, centres[labels[Math.floor(i / d)]][i % d] + noise * normal())),
  );
  const ids = Int32Array.from(labels, (_, i) => firstId + i);
  return makeSplit({ shape: [1, d, 1], images, labels: Int32Array.from(labels), ids });
}

/** `each` labels of every class named. */
export const labelled = (each: number, ...classes: number[]): number[] =>
  Array.from({ length: each }, () => classes).flat();

/** A linear network on the pixels: its features are the pixels over 255. */
export const linear = (classes: number): Classifier => ({
  ...lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(classes) }),
  head: ['fc'],
});

/** Its weights, [features][classes], and biases. */
export function layer(weight: readonly (readonly number[])[], bias: readonly number[]): Variables {
  const params = { fc: { weight: lt.tensor(weight as number[][]), bias: lt.tensor([...bias]) } };
  return { params, state: {} } as unknown as Variables;
}

/** The network as a subject. */
export const network = (name: string, classes: number, variables: Variables): Subject =>
  networkSubject(name, { model: linear(classes), variables });

/** A subject without a network that answers with these logits. */
export const speaker = (name: string, logits: (split: Split) => ArrayLike<number>): Subject => ({
  name,
  network: null,
  hasFeatures: true,
  answers: async (split): Promise<Outputs> => ({
    logits: Float32Array.from(logits(split)),
    labels: split.labels,
  }),
  features: () => Promise.reject(new Error(`${name} has no features`)),
});

/** What is common to the tests: classes, sets, and nobody to compare with. */
export function input(
  own: Subject,
  sets: Partial<AuditInput['sets']>,
  rest: Partial<AuditInput>,
): AuditInput {
  const empty = blobs([], [[0]]);
  const all = { forget: empty, retain: empty, test: empty, kept: empty, gone: null, ...sets };
  return { own, sets: all, classes: 3, goneClasses: [], seed: 1, ...rest };
}
