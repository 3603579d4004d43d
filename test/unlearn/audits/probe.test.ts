// The probe and the prototype attack on features that are known: what is hidden in the last layer is found, what is not in the
// features is not.

import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import { blobs, input, labelled, layer, network } from './kit.ts';

beforeAll(() => lt.init({ device: 'reference' }));

// Class 2 is forgotten. Its pixels lie apart from the others', or on class 0's.
const apart = [
  [60, 60, 200],
  [200, 60, 60],
  [60, 200, 60],
];
const hidden = [apart[0], apart[1], apart[0]];
const setsOf = (centres: number[][]) => ({
  forget: blobs(labelled(120, 2), centres, { seed: 2, firstId: 1000 }),
  retain: blobs(labelled(60, 0, 1), centres, { seed: 3 }),
  gone: blobs(labelled(40, 2), centres, { seed: 4 }),
  kept: blobs(labelled(30, 0, 1), centres, { seed: 5 }),
});
/** Names each class by its bright pixel; the forgotten one's output is shut. */
const shut = () =>
  layer(
    [
      [0, 9, 0],
      [0, 0, 9],
      [9, 0, 0],
    ],
    [0, 0, -1e4],
  );
const goneClasses = [2];

describe('the linear probe', () => {
  it('reads off the features what the last layer hides, already with one sample', async () => {
    const variables = shut();
    const before = lt.memory();
    const own = network('edited', 3, variables);
    const found = await audits.probe().run(input(own, setsOf(apart), { goneClasses }));
    expect(found.values).toEqual({
      probe: 100,
      probe_kept: 100,
      probe_1: 100,
      probe_5: 100,
      probe_20: 100,
      probe_100: 100,
    });
    // 40 of 40: the least share that is not refuted is 0.025^(1/40).
    expect(found.intervals?.probe?.[0]).toBeCloseTo(100 * 0.025 ** (1 / 40), 6);
    expect(found.curves?.[0].points.map(([k]) => k)).toEqual([1, 5, 20, 100]);
    expect(lt.memory()).toEqual(before);
    disposeTree(variables);
  });

  it('finds half where the features of the class are those of another, and is the same twice', async () => {
    const variables = shut();
    const given = input(network('mixed', 3, variables), setsOf(hidden), { goneClasses });
    const audit = audits.probe({ shots: [3, 20, 500], draws: 2 });
    const found = await audit.run(given);
    expect(Math.abs((found.values.probe as number) - 50)).toBeLessThan(25);
    expect(found.values.probe_1).toBeNull();
    expect(found.notes).toEqual(['A forgotten class has fewer than 500 samples.']);
    expect(found.curves?.[0].points.map(([k]) => k)).toEqual([3, 20]);
    expect(await audit.run(given)).toEqual(found);
    disposeTree(variables);
  });

  it('of a layer by its path, and of all of them as a curve', async () => {
    const variables = shut();
    const own = network('edited', 3, variables);
    const given = input(own, setsOf(apart), { goneClasses });
    const probed = (layer: string) => audits.probe({ shots: [5], draws: 2, layer }).run(given);
    const [last, flat, all] = [await probed('last'), await probed('flatten'), await probed('all')];
    // What the last layer is given is what the one before it gives.
    expect(flat).toEqual(last);
    expect({ ...all, curves: all.curves?.slice(0, 1), notes: [] }).toEqual(last);
    // Outputs, too: of the forgotten class the shut one still says how bright its pixel is.
    expect(all.curves?.[1]).toMatchObject({
      name: 'Linear probe by layer',
      points: [
        [1, 100],
        [2, 100],
      ],
    });
    expect(all.notes).toEqual(['Layers of the curve, all with one penalty: flatten, fc.']);
    await expect(probed('conv9')).rejects.toThrow(
      "probe: the network has no layer 'conv9', expected one of flatten, fc",
    );
    disposeTree(variables);
  });

  it('says why there is nothing to say', async () => {
    const broken = layer(
      [
        [0, 9, 0],
        [0, 0, 9],
        [9, 0, 0],
      ],
      [0, 0, 0],
    );
    const own = {
      ...network('broken', 3, broken),
      features: async (split: { labels: Int32Array }) => ({
        values: new Float32Array(3 * split.labels.length).fill(Number.NaN),
        width: 3,
        labels: split.labels,
      }),
    };
    for (const make of [audits.probe, audits.prototypes]) {
      const found = await make().run(input(own, setsOf(apart), { goneClasses }));
      expect(Object.values(found.values).every((value) => value === null)).toBe(true);
      expect(found.notes).toEqual(['Features of the network are not finite: nothing can be read off them.']);
    }
    const none = await audits.probe().run(input(own, { ...setsOf(apart), gone: null }, { goneClasses }));
    expect(none.notes).toEqual(['There are no test samples of the forgotten classes.']);
    await expect(audits.probe().run(input(own, setsOf(apart), {}))).rejects.toThrow(
      'probe: is for forgotten classes, and samples were forgotten',
    );
    expect(() => audits.probe({ shots: [] })).toThrow('shots');
    disposeTree(broken);
  });
});

describe('the prototype attack', () => {
  it('brings the class back where the features have it, at no cost to the others', async () => {
    const variables = shut();
    const before = lt.memory();
    const own = network('edited', 3, variables);
    const found = await audits.prototypes().run(input(own, setsOf(apart), { goneClasses }));
    expect(found.values.prototypes).toBe(100);
    expect(found.values.prototypes_1).toBe(100);
    expect(found.values.prototypes_forget).toBe(100);
    // Only where nothing of the shut output is left: its bias is -10,000.
    expect(found.notes?.[0]).toMatch(/^Best on T_f: .*alpha 1, 1 samples\.$/);
    expect(lt.memory()).toEqual(before);
    disposeTree(variables);
  });

  it('finds little where the features of the class are those of another', async () => {
    const variables = shut();
    const own = network('mixed', 3, variables);
    const found = await audits.prototypes({ draws: 2 }).run(input(own, setsOf(hidden), { goneClasses }));
    expect(found.values.prototypes).toBeLessThan(15);
    expect(found.values.prototypes_forget).toBeLessThan(15);
    disposeTree(variables);
  });
});
