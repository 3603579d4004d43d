// The methods by name: methods.NAME(options).unlearn(input). Each has a file of its own; docs/methods.md explains them.

import type { Method } from '../types.ts';
import { boundaryExpanding } from './boundaryExpanding.ts';
import { boundaryShrink } from './boundaryShrink.ts';
import { finetune } from './finetune.ts';
import { gradientAscent } from './gradientAscent.ts';
import { randomLabels } from './randomLabels.ts';
import { retrain } from './retrain.ts';

export const methods = {
  retrain,
  finetune,
  randomLabels,
  gradientAscent,
  boundaryShrink,
  boundaryExpanding,
};

/** A method by a name that is only known when the program runs; undefined where there is none. */
export const methodByName = (name: string): ((options?: object) => Method) | undefined =>
  Object.hasOwn(methods, name) ? (methods as Record<string, (options?: object) => Method>)[name] : undefined;
