// Tables that come with the package, from runs of `lethe bench tune` on adapters of each family. To add one, run the tuner
// there and paste its table here.

import type { TuningTable } from './tuning.ts';

export const shipped: readonly TuningTable[] = [];
