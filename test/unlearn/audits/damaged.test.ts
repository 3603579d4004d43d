// Rounded and pruned weights: a linear network of which every answer can be worked out.

import { beforeAll, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import { input, layer, network } from './kit.ts';

beforeAll(() => lt.init({ device: 'reference' }));

/** `count` samples of a class, all of these pixels over 255. */
const samples = (count: number, label: number, pixels: readonly number[]) =>
  makeSplit({
    shape: [1, pixels.length, 1],
    images: Uint8Array.from({ length: count * pixels.length }, (_, i) => 255 * pixels[i % pixels.length]),
    labels: new Int32Array(count).fill(label),
  });

const gone = samples(20, 1, [0, 1, 0]);
const kept = samples(30, 0, [1, 0, 0]);
/** Class 1 was unlearned: on its pixel class 2 leads by 0.3. */
const weights = () =>
  layer(
    [
      [7, 0, 0],
      [0, 3.3, 3.6],
      [0, 0, 7],
    ],
    [0, 0, 0],
  );

it('a class that lies just below the threshold comes back where rounding makes two logits alike', async () => {
  const before = lt.memory().buffers;
  const variables = weights();
  const own = network('own', 3, variables);
  const sets = { forget: gone, gone, kept, test: kept };
  const found = await audits.damaged().run(input(own, sets, { goneClasses: [1] }));
  // 4 bits: steps of 1, so 3.3 and 3.6 are 3 and 4. 8 bits: steps of 7 / 127, so they stay apart.
  expect(found.values).toEqual({
    damaged: 0,
    damaged_int8: 0,
    damaged_int4: 0,
    damaged_pruned: 0,
    damaged_q: 1,
    damaged_kept: 100,
  });
  disposeTree(variables);
  const near = layer(
    [
      [7, 0, 0],
      [0, 3.2, 3.4],
      [0, 0, 7],
    ],
    [0, 0, 0],
  );
  const hidden = await audits.damaged().run(input(network('near', 3, near), sets, { goneClasses: [1] }));
  // Both are 3 now, and the first of equals is named.
  expect(hidden.values).toMatchObject({ damaged: 100, damaged_int8: 0, damaged_int4: 100, damaged_q: 0 });
  expect(hidden.notes).toEqual(['As it is: 0.0 %. Most is left by int4.']);
  // 20 of 20: the exact interval begins at 0.025^(1/20).
  expect(hidden.intervals?.damaged_int4?.[0]).toBeCloseTo(100 * 0.025 ** (1 / 20), 9);
  expect(hidden.intervals?.damaged_int4?.[1]).toBe(100);
  disposeTree(near);
  expect(lt.memory().buffers).toBe(before);
});

it('asks F where samples were forgotten, and T_f is needed where classes were', async () => {
  const variables = weights();
  const own = network('own', 3, variables);
  const forget = samples(10, 0, [1, 0, 0]);
  const found = await audits.damaged().run(input(own, { forget, kept, test: kept }, {}));
  expect(found.values).toMatchObject({ damaged: 0, damaged_int4: 100, damaged_q: 1 });
  const none = await audits.damaged().run(input(own, { forget, kept, test: kept }, { goneClasses: [0] }));
  expect(none.values.damaged).toBeNull();
  expect(none.notes).toEqual(['There are no test samples of the forgotten classes.']);
  disposeTree(variables);
  const broken = layer(
    [
      [Number.NaN, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    [0, 0, 0],
  );
  const lost = await audits
    .damaged()
    .run(input(network('broken', 3, broken), { forget, kept, test: kept }, {}));
  expect(Object.values(lost.values).every((value) => value === null)).toBe(true);
  expect(lost.notes?.[0]).toMatch(/^As it is, the network gives no usable answer/);
  disposeTree(broken);
});
