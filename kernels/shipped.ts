// Tables that come with the package, from runs of `lethe bench tune` on adapters of each family. To add one, run the tuner
// there and put its table here, with an `adapter` that the descriptions of the whole family contain.

import type { TuningTable } from './tuning.ts';

/** Mesa's software Vulkan with vectors of 256 bits. The search found nothing better than the heuristic made for it. */
const llvmpipe: TuningTable = {
  format: 1,
  kernels: 1,
  adapter: 'llvmpipe',
  choices: {
    'conv 8192x32x32x1': 'shared 8x32 of 8x4',
    'conv 8192x64x512x1': 'shared 8x64 of 8x8',
    'dot 128x128x4096x1': 'shared 8x64 of 8x8',
    'dot 128x16x128x1': 'shared 8x32 of 8x4',
    'dot 128x128x16x1': 'shared 8x64 of 8x8',
    'dot 128x4096x128x1': 'shared 8x64 of 8x8',
    'convGradWeight 512x64x8192x1': 'shared 8x64 of 8x8',
    'convGradInput 8192x32x1024x1': 'shared 8x32 of 8x4',
    'convGradWeight 32x32x8192x1': 'shared 8x32 of 8x4',
    'dot 4096x128x128x1': 'shared 8x64 of 8x8',
    'dot 512x512x512x1': 'shared 8x64 of 8x8',
    'dot 1024x1024x1024x1': 'shared 8x64 of 8x8',
  },
};

export const shipped: readonly TuningTable[] = [llvmpipe];
