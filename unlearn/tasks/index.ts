// The tasks by name. Each has a file of its own.

import { classification } from './classification.ts';
import { denoising } from './denoising.ts';
import type { Samples, Task } from './record.ts';

/** The tasks by name: what samples are, what is lost on them and what is measured. */
export const tasks = { classification, denoising } as const;

export type * from './record.ts';

/** What samples are unless something else is said: labelled images. */
export const defaultTask = <S extends Samples>(): Task<S> => classification as unknown as Task<S>;
