// Counter-based random numbers: the element's index is the counter, so the same key gives the same bits on every
// backend, in any order and any shape of parallelism. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011).

import { allocate, isFloat, showAval, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import { apply } from './apply.ts';
import { logUnit, philox4x32, sinCosTwoPi } from './random-math.ts';
import { aval, checkShape } from './rules.ts';
import type { PrimitiveOf } from './types.ts';

const unit = (word: number): number => (word >>> 8) * 2 ** -24;
/** As many bits as are exact: rounding could reach 1. */
const unitHalf = (word: number): number => (word >>> 21) * 2 ** -11;

/** sqrt(-2 ln u1) times cos and sin of 2 pi u2. */
function boxMuller(w1: number, w2: number): [number, number] {
  const radius = Math.sqrt(-2 * logUnit(unit(w1) + 2 ** -24));
  const [sin, cos] = sinCosTwoPi(unit(w2));
  return [radius * cos, radius * sin];
}

const randomPrimitive: PrimitiveOf<'random'> = {
  name: 'random',
  kind: 'root',
  shape: ([key], { shape, distribution, dtype }) => {
    check(
      key.dtype === 'uint32' && key.shape.at(-1) === 2,
      'dtype',
      () =>
        `random: the key must be uint32[..., 2] as made by random.key or random.split, got ${showAval(key)}`,
    );
    check(
      distribution === 'bits' ? dtype === 'uint32' : isFloat(dtype),
      'dtype',
      () => `random: ${distribution} cannot be ${dtype}`,
    );
    checkShape('random', shape);
    return [aval([...key.shape.slice(0, -1), ...shape], dtype)];
  },
  jvp: 'constant',
  transpose: 'nonlinear',
  batch: ([key], _, params) => apply('random', [key], params),
  reference: ([key], { shape, distribution }, [out]) => {
    const n = sizeOf(shape);
    const result = allocate(out.dtype, sizeOf(out.shape));
    for (let k = 0; k < key.data.length / 2; k++)
      for (let block = 0; block < n / 4; block++) {
        const words = philox4x32([block, 0, 0, 0], [key.data[2 * k], key.data[2 * k + 1]]);
        const values =
          distribution === 'bits'
            ? words
            : distribution === 'uniform'
              ? Array.from(words, out.dtype === 'float16' ? unitHalf : unit)
              : [...boxMuller(words[0], words[1]), ...boxMuller(words[2], words[3])];
        for (let i = 0; i < 4 && block * 4 + i < n; i++) result[k * n + block * 4 + i] = values[i];
      }
    return [result];
  },
  samples: [
    {
      operands: [{ shape: [2], dtype: 'uint32', fill: 'key' }],
      params: { shape: [5], distribution: 'uniform', dtype: 'float32' },
    },
    {
      operands: [{ shape: [3, 2], dtype: 'uint32', fill: 'key' }],
      params: { shape: [2, 3], distribution: 'normal', dtype: 'float32' },
    },
    {
      operands: [{ shape: [2], dtype: 'uint32', fill: 'key' }],
      params: { shape: [9], distribution: 'bits', dtype: 'uint32' },
    },
    {
      operands: [{ shape: [2], dtype: 'uint32', fill: 'key' }],
      params: { shape: [], distribution: 'uniform', dtype: 'float32' },
    },
  ],
};

export const randomPrimitives = { random: randomPrimitive };
