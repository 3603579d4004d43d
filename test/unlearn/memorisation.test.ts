// Memorisation from a bank, against a direct computation; mislabelled samples are the memorised ones.
import { expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { networkSubject } from '../../unlearn/audits/subject.ts';
import { bankOf, referencePlan } from '../../unlearn/bank.ts';
import { makeSplit } from '../../unlearn/data/split.ts';
import { byMemorisation, memorisationOf } from '../../unlearn/memorisation.ts';
import { predict } from '../../unlearn/predict.ts';
import { disposeAll, stripes, tinyMlp } from './problems.ts';

test('of each sample, as counted directly; wrong labels are what is memorised', async () => {
  await lt.init({ device: 'reference' });
  const clean = stripes(48);
  const wrong = new Set([4, 13, 22, 31, 40]);
  const labels = clean.labels.map((label, i) => (wrong.has(i) ? (label + 1) % 3 : label));
  const data = makeSplit({ ...clean, labels });
  const plan = referencePlan([data], 6, 2);
  const model = lt.nn.mlp({ classes: 3, hidden: [32] });
  const options = { epochs: 30, batchSize: 8, learningRate: 0.1, weightDecay: 0 };
  const bank = await bankOf({ model, data, plan, options });
  const fractions: number[] = [];
  const onProgress = ({ fraction }: { fraction: number }) => fractions.push(fraction);
  const { scores, noise } = await memorisationOf(bank.references, data, { onProgress });
  expect(fractions).toEqual([...[0, 1, 2, 3, 4, 5].map((i) => i / 6), 1]);

  const right: number[][] = [];
  for (const place of plan.keys()) {
    const variables = await bank.variables(place);
    const logits = await predict(model, variables, data);
    disposeAll(variables);
    right.push(
      [...labels].map((label, i) => {
        const row = [...logits.subarray(3 * i, 3 * i + 3)];
        return Number(row.indexOf(Math.max(...row)) === label);
      }),
    );
  }
  for (let i = 0; i < data.size; i++) {
    const mean = (member: number) => {
      const those = right.filter((_, m) => plan[m].members[i] === member);
      expect(those).toHaveLength(3);
      return those.reduce((sum, hits) => sum + hits[i], 0) / 3;
    };
    expect(scores[i]).toBeCloseTo(mean(1) - mean(0), 12);
    expect(noise[i]).toBeCloseTo(Math.sqrt(1 / 12 + 1 / 12), 12);
  }
  const average = (of: (i: number) => boolean) => {
    const those = [...scores].filter((_, i) => of(i));
    return those.reduce((a, b) => a + b, 0) / those.length;
  };
  expect(average((i) => wrong.has(i))).toBeGreaterThan(0.6);
  expect(average((i) => !wrong.has(i))).toBeLessThan(0.15);
  const first = [...byMemorisation(scores, data.ids).subarray(0, 5)];
  expect(first.filter((i) => wrong.has(i)).length).toBeGreaterThan(3);
});

test('ranks: highest first, ties by id and seed wherever a sample stands, unknown last', () => {
  const scores = Float64Array.of(0, Number.NaN, 1, 0, -1, 0, 0, 0, 0);
  const ids = Int32Array.of(10, 11, 12, 13, 14, 15, 16, 17, 18);
  const ranked = byMemorisation(scores, ids, 4);
  expect([ranked[0], ranked[7], ranked[8]]).toEqual([2, 4, 1]);
  expect([...ranked].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const turned = byMemorisation(scores.slice().reverse(), ids.slice().reverse(), 4);
  expect([...turned].map((i) => ids[8 - i])).toEqual([...ranked].map((i) => ids[i]));
  expect(byMemorisation(scores, ids, 5)).not.toEqual(ranked);
});

test('other data than the bank is refused', async () => {
  const model = tinyMlp();
  const variables = lt.scope(() => model.init(lt.random.key(0), [1, 6, 6, 1]));
  const subject = networkSubject('r', { model, variables });
  const references = [{ subject, members: new Uint8Array(5) }];
  await expect(memorisationOf(references, stripes(6))).rejects.toThrow(
    'memorisation: r has 5 members; expected the 6 samples of the bank',
  );
  disposeAll(variables);
});
