// Audits of features beside others: the membership probe, CKA and the zero retrain forgetting score.

import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import { networkSubject } from '../../../unlearn/audits/subject.ts';
import { predict } from '../../../unlearn/predict.ts';
import { linearCka } from '../../../unlearn/statistics/cka.ts';
import { pointsOf } from '../../../unlearn/statistics/points.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import type { Split } from '../../../unlearn/types.ts';
import { draws } from '../statistics/samples.ts';
import { blobs, input, labelled, layer, linear, network } from './kit.ts';

beforeAll(() => lt.init({ device: 'reference' }));

const centres = [
  [60, 60, 200],
  [200, 60, 60],
  [60, 200, 60],
];

describe('features', () => {
  // Features are pixels: the same for all linear networks, so another set of pixels stands for another network.
  const labels = labelled(40, 0, 1, 2);
  const [forget, test] = [0, 1000].map((firstId, i) =>
    blobs(labels, centres, { firstId, seed: 20 + i, noise: 30 }),
  );
  const weights = () =>
    layer(
      [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      [0, 0, 0],
    );

  it('tell members apart only where they differ', async () => {
    const variables = weights();
    const own = network('own', 3, variables);
    const brighter = blobs(
      labels,
      centres.map((row) => row.map((v) => v + 25)),
      { firstId: 0, seed: 22, noise: 30 },
    );
    const run = (F: Split) => audits.membershipProbe().run(input(own, { forget: F, test, kept: test }, {}));
    const same = await run(forget);
    expect(same.intervals?.membership_probe?.[0]).toBeLessThan(0.5);
    expect(same.intervals?.membership_probe?.[1]).toBeGreaterThan(0.5);
    const differ = await run(brighter);
    // Three independent pixels, each 25 / 30 deviations apart: AUC = Phi(sqrt(3) (25 / 30) / sqrt(2)) = 0.846.
    expect(Math.abs((differ.values.membership_probe as number) - 0.846)).toBeLessThan(0.06);
    expect(differ.samples?.[0].ids).toEqual(Array.from(forget.ids));
    expect(await run(brighter)).toEqual(differ);
    const few = await run(blobs(labelled(5, 0), centres));
    expect(few.notes).toEqual(['Only 5 forgotten samples have a test sample of their class; 20 are needed.']);
    disposeTree(variables);
  });

  it('are compared with those of retrained networks by CKA', async () => {
    const variables = weights();
    const own = network('own', 3, variables);
    const seen = (seed: number) => {
      const { normal } = draws(seed);
      const of = new Map(
        [forget, test].map((split) => [split, Float32Array.from({ length: 2 * split.size }, normal)]),
      );
      const features = async (split: Split) => ({ values: of.get(split)!, width: 2, labels: split.labels });
      return { ...network(`retrain ${seed}`, 3, variables), features };
    };
    const peers = [seen(1), seen(2), seen(3)];
    const sets = { forget, test, kept: test };
    const found = await audits.cka().run(input(own, sets, { retrain: peers[0], retrains: peers.slice(1) }));
    const mine = pointsOf((await own.features(forget)).values, 3);
    const each = await Promise.all(
      peers.map(async (peer) => linearCka(mine, pointsOf((await peer.features(forget)).values, 2))),
    );
    expect(found.values.cka).toBeCloseTo((each[0] + each[1] + each[2]) / 3, 12);
    expect(found.values.cka_gone).toBeNull();
    expect(found.intervals?.cka?.[0]).toBeLessThan(Math.min(...each));
    const itself = await audits.cka().run(input(own, sets, { retrain: own }));
    expect(itself.values.cka).toBeNull();
    // The same features under another name: 1, and so is every jackknife.
    const equal = await audits.cka().run(input(own, sets, { retrain: network('retrain', 3, variables) }));
    expect(equal.values.cka_kept).toBeCloseTo(1, 9);
    expect(equal.intervals?.cka_kept?.[0]).toBeCloseTo(1, 6);
    disposeTree(variables);
  });

  it('zero retrain forgetting is the divergence from random networks of the seed', async () => {
    const variables = weights();
    const own = networkSubject('own', { model: linear(3), variables });
    const before = lt.memory();
    const found = await audits.zrf({ draws: 2 }).run(input(own, { forget, test, kept: test }, { seed: 5 }));
    expect(lt.memory()).toEqual(before);
    const answers = await own.answers(forget);
    const softmax = (z: Float32Array) => {
      const e = Array.from(z, Math.exp);
      return e.map((value) => value / e.reduce((a, b) => a + b));
    };
    const scores: number[] = [];
    for (const draw of [0, 1]) {
      const key = lt.random.foldIn(lt.random.foldIn(lt.random.key(5), 0x7a7266), draw);
      const random = await predict(linear(3), linear(3).init(key, [1, ...forget.shape]), forget);
      let sum = 0;
      for (let i = 0; i < forget.size; i++) {
        const [p, q] = [answers.logits, random].map((z) => softmax(z.subarray(3 * i, 3 * i + 3)));
        for (let k = 0; k < 3; k++) {
          const m = (p[k] + q[k]) / 2;
          sum += (p[k] * Math.log(p[k] / m) + q[k] * Math.log(q[k] / m)) / 2;
        }
      }
      scores.push(1 - sum / forget.size);
    }
    expect(found.values.zrf).toBeCloseTo((scores[0] + scores[1]) / 2, 6);
    expect(found.intervals?.zrf?.[0]).toBeLessThan(Math.min(...scores));
    disposeTree(variables);
  });
});
