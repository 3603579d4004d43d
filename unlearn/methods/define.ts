// What all methods share around their own computation: options checked when the method is made, data checked when it
// runs, and the empty forget set, for which every method gives back the values it was given.

import type * as v from 'valibot';
import { check } from '../../engine/error.ts';
import { completeOptions } from '../options/complete.ts';
import { copyOf } from '../train/fit.ts';
import type { Method, Split, UnlearnInput, UnlearnResult } from '../types.ts';

type Output<S extends v.GenericSchema> = Readonly<v.InferOutput<S> & object>;

/** A method as users make it: methods.NAME(options).unlearn(input). */
export type MakeMethod<S extends v.GenericSchema> = (
  options?: Partial<v.InferInput<S> & object>,
) => Method<Output<S>>;

/** What a run has to know of a method beside its result; see Method. */
interface Traits<Options> {
  readonly fromScratch?: boolean;
  readonly forgetStatistics?: (options: Options) => boolean;
}

/**
 * @param unlearn the method itself, for a forget set that is not empty. It borrows the input's variables and key and
 * returns variables of its own.
 */
export function define<S extends v.GenericSchema>(
  name: string,
  schema: S,
  unlearn: (options: Output<S>, input: UnlearnInput) => Promise<UnlearnResult>,
  { fromScratch = false, forgetStatistics = () => false }: Traits<Output<S>> = {},
): MakeMethod<S> {
  return (given) => {
    const options = completeOptions<Output<S>>(name, schema, given);
    return {
      name,
      options,
      fromScratch,
      forgetStatistics: forgetStatistics(options),
      async unlearn(input) {
        input.signal?.throwIfAborted();
        checkSplit(name, 'forget', input.forget);
        checkSplit(name, 'retain', input.retain);
        if (input.forget.size > 0) return unlearn(options, input);
        const cost = { seconds: 0, gradientSteps: 0, samplesVisited: 0 };
        return { variables: copyOf(input.variables), cost, details: { nothingToForget: true } };
      },
    };
  };
}

function checkSplit(name: string, what: string, split: Split): void {
  check(split, 'value', () => `${name}: needs ${what}, a split of training samples`);
  const bytes = split.size * split.shape[0] * split.shape[1] * split.shape[2];
  check(
    split.images.length === bytes && split.labels.length === split.size,
    'shape',
    () =>
      `${name}: ${what} has ${split.images.length} bytes and ${split.labels.length} labels for ${split.size} images of [${split.shape.join(', ')}]`,
  );
}
