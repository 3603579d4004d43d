// The share of samples that look never seen, on answers with a known share.

import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import type { Split } from '../../../unlearn/types.ts';
import { draws } from '../statistics/samples.ts';
import { blobs, input, labelled, speaker } from './kit.ts';

beforeAll(() => lt.init({ device: 'reference' }));

const centres = [
  [60, 60, 200],
  [200, 60, 60],
  [60, 200, 60],
];

describe('samples that look never seen', () => {
  const labels = labelled(50, 0, 1, 2);
  const [forget, retain, test] = [0, 1000, 2000].map((firstId, i) =>
    blobs(labels, centres, { firstId, seed: 9 + i }),
  );
  /** Members are answered with confidence 6, others with 2; of the forgotten a share as others. */
  const model = (share: number, level = 2) =>
    speaker('own', (split) => {
      const { normal } = draws(40 + split.ids[0]);
      return Array.from(split.labels).flatMap((label, i) => {
        const member = split === retain || (split === forget && i >= share * split.size);
        const z = [0, 0, 0];
        z[label] = (member ? 6 : split === forget ? level : 2) + 0.5 * normal();
        return z;
      });
    });
  const run = (own: ReturnType<typeof model>) =>
    audits
      .mixture({ samples: 90, bootstraps: 100 })
      .run(input(own, { forget, retain, test, kept: test }, {}));

  it.each([0, 0.5, 1])('finds a share of %d', async (share) => {
    const found = await run(model(share));
    expect(Math.abs((found.values.mixture_answers as number) - 100 * share)).toBeLessThan(12);
    expect(Math.abs(found.values.mixture_answers_residual as number)).toBeLessThan(0.1);
    expect(found.values.mixture).toBeNull();
    expect(found.notes).toEqual(['Several networks answer together: they have no features in common.']);
  });

  it('says so where they are neither, and where members and others look alike', async () => {
    const over = await run(model(1, -6));
    expect(over.notes).toContain(
      'By answers: the forgotten samples look like neither; the share alone misleads.',
    );
    const even = await run(speaker('even', madeUp));
    expect(even.values.mixture_answers).toBeNull();
    expect(even.notes?.[1]).toMatch(
      /^By answers: kept and unseen samples look alike \(p 0\.\d+\), no answer\.$/,
    );
  });
  const madeUp = (split: Split) => {
    const { normal } = draws(77 + split.ids[0]);
    return Array.from({ length: 3 * split.size }, () => normal());
  };
});
