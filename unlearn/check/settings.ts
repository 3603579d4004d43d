// Which options a method is tried with: quick ones, then each other value of each of its choices and switches.

import type { MethodRecord } from '../methods/record.ts';

type Schema = {
  readonly wrapped?: Schema;
  readonly type: string;
  readonly options?: readonly unknown[];
  readonly default?: unknown;
};

/** Values at which the options of these names cost little. */
const QUICK: Readonly<Record<string, unknown>> = {
  epochs: 2,
  batchSize: 10,
  learningRate: 0.01,
  iterations: 3,
  shards: 2,
  slices: 2,
  blocks: 2,
  steps: 3,
  samples: 20,
  adversaries: 2,
  doublings: 3,
  forgetBatchSize: 12,
  importanceBatch: 12,
  train: { epochs: 2, batchSize: 10, learningRate: 0.01 },
};

/**
 * Settings to try a record with: quick ones, then each other value of each of its choices and switches, alone.
 * Read off the schema, so that a new option is tried without a line here.
 * @param stated options that all of them have.
 */
export function settingsOf({ options }: MethodRecord, stated: object = {}): Record<string, unknown>[] {
  const { entries } = options as { readonly entries: Readonly<Record<string, unknown>> };
  const few = Object.fromEntries(Object.entries(QUICK).filter(([key]) => key in entries));
  const quick: Record<string, unknown> = { ...few, ...stated };
  const others = Object.entries(entries)
    .filter(([key]) => !(key in stated))
    .flatMap(([key, entry]) => {
      const { wrapped, default: preset } = entry as Schema;
      const values =
        wrapped?.type === 'picklist' ? wrapped.options : wrapped?.type === 'boolean' ? [true, false] : [];
      // Mixed precision needs a device with float16.
      return (values ?? [])
        .filter((value) => value !== preset && value !== 'mixed')
        .map((value) => ({ ...quick, [key]: value, ...(value === 'step' ? { milestones: [1] } : {}) }));
    });
  return [quick, ...others];
}

/** The settings that are not the usual ones, in words: `order "mixed"`. */
export const differing = (settings: object, usual: object): string =>
  Object.entries(settings)
    .filter(([key, value]) => (usual as Record<string, unknown>)[key] !== value)
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`)
    .join(', ');
