// Attacks on single samples as audits: made-up models whose truth is known, plain loops beside them, and tiny networks.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { sidesOf, targetsOf } from '../../../unlearn/audits/candidates.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import type { AuditInput, Finding, Reference } from '../../../unlearn/audits/record.ts';
import { networkSubject, type Subject } from '../../../unlearn/audits/subject.ts';
import { worldsOf } from '../../../unlearn/audits/worlds.ts';
import { joinSplits, makeSplit, positionsWhere, takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { train } from '../../../unlearn/train.ts';
import { CLASSES, disposeAll, stripes, tinyMlp } from '../problems.ts';
import {
  answer,
  byClass,
  bySamples,
  GAIN,
  input,
  K,
  leaving,
  made,
  original,
  placesIn,
  references,
  retrained,
  TEST,
  TRAIN,
} from './made.ts';

beforeAll(() => lt.init({ device: 'reference' }));

const rows = (count: number) => Array.from({ length: count }, (_, i) => i);
const share = (values: readonly boolean[]) => values.filter(Boolean).length / values.length;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const within = (value: number | null, bounds: readonly [number, number] | undefined) =>
  value !== null && bounds !== undefined && bounds[0] <= value && value <= bounds[1];

describe('who is asked about', () => {
  it('takes others in the members’ class mix, and a population apart from them with an even share of each class', () => {
    const { forget, test } = bySamples;
    // Class 0 twice as often as class 1, and no class 2.
    const skew = takeSplit(
      forget,
      positionsWhere(forget, (label, i) => label === 0 || (label === 1 && i % 2 === 0)),
    );
    const counts = (labels: Int32Array, at: ArrayLike<number>) =>
      rows(K).map((k) => Array.from(at).filter((row) => labels[row] === k).length);
    const { members, others, population } = sidesOf(skew, test, 1);
    const [wanted, got] = [counts(skew.labels, members), counts(test.labels, others)];
    expect(members).toHaveLength(skew.size);
    expect(got[2]).toBe(0);
    expect(Math.max(...got)).toBe(TEST / K / 2);
    expect(Math.abs(got[1] / got[0] - wanted[1] / wanted[0])).toBeLessThan(0.06);
    expect(counts(test.labels, population)).toEqual([30, 30, 30]);
    expect([...others].filter((row) => population.includes(row))).toEqual([]);
    expect(sidesOf(skew, test, 1)).toEqual({ members, others, population });
    expect(sidesOf(skew, test, 2).others).not.toEqual(others);
  });

  it('leaves out members whose class has no unseen sample', () => {
    const { test } = byClass;
    const noOne = takeSplit(
      test,
      positionsWhere(test, (label) => label !== 1),
    );
    expect(sidesOf(byClass.forget, noOne, 1)).toMatchObject({
      members: new Int32Array(0),
      others: new Int32Array(0),
    });
  });

  it('targets as many unseen samples as were forgotten, and the whole class where one goes', () => {
    expect(targetsOf(bySamples, [], 1)).toHaveLength(bySamples.forget.size);
    const targets = targetsOf(byClass, [1], 1);
    expect([...targets]).toEqual(rows(TEST).filter((row) => byClass.test.labels[row] === 1));
  });
});

describe('rmia', () => {
  const few = references(4);
  const run = (own: Subject, sets = bySamples, options = {}, rest: Partial<AuditInput> = {}) =>
    audits.rmia(options).run(input(own, sets, { references: few, ...rest }));

  it('finds forgotten samples in the original and not in a retrained model', async () => {
    const [kept, gone] = [await run(original), await run(retrained(bySamples))];
    expect(kept.values.rmia_auc).toBeGreaterThan(0.85);
    expect(within(0.5, gone.intervals?.rmia_auc)).toBe(true);
    // Retained samples are members in both.
    for (const { values } of [kept, gone]) expect(values.rmia_retain_auc).toBeGreaterThan(0.85);
    expect(kept.values.rmia_tpr_1).toBeNull();
    expect(kept.values.rmia_least_fpr).toBeCloseTo(100 / 90, 9);
    expect(kept.notes?.join(' ')).toContain('90 unseen samples cannot show a false-positive rate of 0.1 %');
    expect(kept.notes?.join(' ')).toContain('the smallest is 1.1 %');
  });

  it('scores each sample as plain loops do', async () => {
    const { samples } = await run(original, bySamples, { a: 0.4, gamma: 1.2 });
    const { population } = sidesOf(bySamples.forget, bySamples.test, 3);
    const ratio = (place: number, trained: number) => {
      const out = few.flatMap(({ members }, r) => (members[place] ? [] : [sigmoid(answer(r, place, 0))]));
      const mean = out.reduce((sum, p) => sum + p, 0) / out.length;
      return sigmoid(answer(500, place, trained)) / ((1.4 * mean + 0.6) / 2);
    };
    const z = Array.from(population, (row) => ratio(TRAIN + row, 0));
    const wanted = placesIn(bySamples.forget).map((place) =>
      share(z.map((q) => ratio(place, GAIN) > 1.2 * q)),
    );
    const [forget, retain] = samples ?? [];
    expect([forget.set, retain.set, forget.ids]).toEqual(['forget', 'retain', [...bySamples.forget.ids]]);
    // Logits are float32: a sample at the edge may fall on the other side.
    for (const [i, score] of forget.scores.entries())
      expect(Math.abs(score - wanted[i])).toBeLessThanOrEqual(1 / population.length + 1e-12);
    expect(share(forget.scores.map((score, i) => score === wanted[i]))).toBeGreaterThan(0.9);
  });

  it('says which a it took: with one reference the released code’s', async () => {
    const one = await run(original, bySamples, {}, { references: few.slice(0, 1) });
    expect(one.values.rmia_a).toBe(0.3);
    expect(one.notes?.join(' ')).toContain('One reference cannot be attacked with another');
    expect((await run(original, bySamples, { a: 0.7 })).values.rmia_a).toBe(0.7);
  });

  it('compares a forgotten class with unseen samples of it', async () => {
    const { values, intervals } = await run(retrained(byClass), byClass);
    expect(within(0.5, intervals?.rmia_auc)).toBe(true);
    expect((await run(original, byClass)).values.rmia_auc).toBeGreaterThan(0.85);
    expect(values.rmia_least_fpr).toBeCloseTo(100 / 30, 9);
  });

  it('measures nothing where there are too few samples, and survives answers that are no numbers', async () => {
    const single = { ...bySamples, forget: takeSplit(bySamples.forget, [0]) };
    const rest = takeSplit(bySamples.forget, rows(bySamples.forget.size).slice(1));
    const lone = await run(original, { ...single, retain: joinSplits(bySamples.retain, rest) });
    expect(lone.values).toMatchObject({ rmia_auc: null, rmia_tpr_1: null, rmia_least_fpr: null });
    expect(lone.notes?.join(' ')).toContain('an attack needs 10 of each');
    const silent: Subject = {
      ...original,
      answers: async ({ size, labels }) => ({ logits: new Float32Array(size * K).fill(Number.NaN), labels }),
    };
    const found = await run(silent);
    expect(found.samples?.[0].scores.every(Number.isFinite)).toBe(true);
  });

  it('says what it needs, and refuses references of other samples', async () => {
    await expect(audits.rmia().run(input(original, bySamples))).rejects.toThrow(
      'rmia: needs reference models',
    );
    const other = [{ ...few[0], members: few[0].members.subarray(1) }];
    await expect(run(original, bySamples, {}, { references: other })).rejects.toThrow(
      `reference 0 says of ${TRAIN + TEST - 1} samples whether it saw them, expected ${TRAIN + TEST}`,
    );
    expect(() => audits.rmia({ a: 2 })).toThrow(/rmia.*a/s);
  });
});

describe('iam', () => {
  const run = (own: Subject, count = 4, sets = bySamples) =>
    audits.iam().run(input(own, sets, { references: references(count) }));

  it('places forgotten samples, and shows what over-forgetting hides', async () => {
    const [kept, gone] = [await run(original), await run(retrained(bySamples))];
    expect(kept.values.iam_auc).toBeGreaterThan(0.8);
    expect(within(0.5, gone.intervals?.iam_auc)).toBe(true);
    expect(within(0, gone.intervals?.iam_excess)).toBe(true);
    expect(kept.values.iam_membership).toBeGreaterThan((gone.values.iam_membership as number) + 0.2);
    const places = new Set(placesIn(bySamples.forget));
    const over = await run(made('over', 502, (place) => (places.has(place) ? -4 : place < TRAIN ? GAIN : 0)));
    expect(over.values.iam_excess).toBeLessThan(-0.2);
    expect(over.values.iam_auc).toBeLessThan(0.2);
  });

  it('leaves out samples that the only reference saw, and says so', async () => {
    const { samples, notes, values } = await run(original, 1);
    const [{ members }] = references(1);
    const unseen = [...bySamples.forget.ids].filter((id) => members[id] === 0);
    expect(samples?.[0].ids).toEqual(unseen);
    expect(notes?.join(' ')).toContain(
      `${60 - unseen.length} of 60 forgotten samples were seen by every reference`,
    );
    expect(values.iam_auc).toBeGreaterThan(0.7);
  });
});

describe('worlds', () => {
  it('ask the method once for each reference, for all audits, with its own members among the targets', async () => {
    const method = leaving(0);
    const some = references(4);
    const given = input(original, bySamples, { references: some, unlearn: method.unlearn });
    await Promise.all([
      audits.ulira().run(given),
      audits.klom().run(given),
      audits.forgettingScore().run(given),
    ]);
    expect(method.calls).toHaveLength(4);
    expect(method.released()).toBe(4);
    const { targets } = await worldsOf(given);
    const pool = new Set([...placesIn(bySamples.forget), ...Array.from(targets, (row) => TRAIN + row)]);
    for (const [i, { forget, retain }] of method.calls.entries()) {
      const all = rows(TRAIN + TEST).filter((place) => some[i].members[place] === 1);
      const sorted = (list: number[]) => list.sort((a, b) => a - b);
      expect(sorted(placesIn(forget))).toEqual(all.filter((place) => pool.has(place)));
      expect(sorted(placesIn(retain))).toEqual(all.filter((place) => !pool.has(place)));
      // Ids of training and test samples are the same numbers: places are not.
      expect([...forget.ids, ...retain.ids]).toEqual([...placesIn(forget), ...placesIn(retain)]);
    }
  });

  it('are tried again after a failure, give memory back, and stop when asked', async () => {
    const method = leaving(0);
    let fails = true;
    const given = input(original, bySamples, {
      references: references(4),
      unlearn: async (...args) => {
        const done = await method.unlearn(...args);
        if (!fails) return done;
        const answers = () => Promise.reject(new Error('lost'));
        return { ...done, subject: { ...done.subject, answers } };
      },
    });
    await expect(worldsOf(given)).rejects.toThrow('lost');
    expect([method.calls.length, method.released()]).toEqual([1, 1]);
    fails = false;
    expect((await worldsOf(given)).models).toHaveLength(4);
    const stop = new AbortController();
    const stopped = input(original, bySamples, {
      references: references(4),
      unlearn: leaving(0).unlearn,
      signal: stop.signal,
      onProgress: ({ fraction }) => fraction > 0.3 && stop.abort(new Error('enough')),
    });
    await expect(worldsOf(stopped)).rejects.toThrow('enough');
  });
});

describe('audits of worlds', () => {
  const many = references(32);
  const given = (own: Subject, leaves: number, sets = bySamples, count = 32) =>
    input(own, sets, { references: many.slice(0, count), unlearn: leaving(leaves).unlearn });
  type Found = Finding & { values: Record<string, number> };
  const all = async (own: Subject, leaves: number) => {
    const one = given(own, leaves);
    const run = async (name: 'ulira' | 'klom' | 'forgettingScore') =>
      (await audits[name]().run(one)) as Found;
    return { ulira: await run('ulira'), klom: await run('klom'), score: await run('forgettingScore') };
  };
  let perfect: Awaited<ReturnType<typeof all>>;
  let nothing: Awaited<ReturnType<typeof all>>;
  beforeAll(async () => {
    perfect = await all(retrained(bySamples), 0);
    nothing = await all(original, 1);
  });

  it('ulira: chance for perfect forgetting, sure where nothing was forgotten', () => {
    expect(within(0.5, perfect.ulira.intervals?.ulira_auc)).toBe(true);
    expect(Math.abs(perfect.ulira.values.ulira_accuracy - 50)).toBeLessThan(10);
    expect(within(0.5, perfect.ulira.intervals?.ulira_efficacy_auc)).toBe(true);
    expect(nothing.ulira.values.ulira_auc).toBeGreaterThan(0.95);
    expect(nothing.ulira.values.ulira_efficacy_auc).toBeGreaterThan(0.95);
    // Gaussians GAIN apart with deviation 0.7: the best rule is right in 96 of 100 cases.
    expect(Math.abs(nothing.ulira.values.ulira_accuracy - 96)).toBeLessThan(5);
    const [forget, retain] = nothing.ulira.samples ?? [];
    expect([forget.scores.length, retain.scores.length]).toEqual([60, 60]);
    expect(share(retain.scores.map((score) => score > 0.5))).toBeGreaterThan(0.9);
  });

  it('klom: its floor for perfect forgetting, far above it where nothing was forgotten', () => {
    const { klom } = perfect;
    expect(Math.abs(klom.values.klom_excess)).toBeLessThan(0.4);
    expect(nothing.klom.values.klom_excess).toBeGreaterThan(2);
    expect(nothing.klom.values.klom).toBeGreaterThan(klom.values.klom + 2);
    // Normal distributions GAIN apart: (GAIN / 0.7)^2 / 2 nats; the estimate with 16 models is larger.
    const exact = (GAIN / 0.7) ** 2 / 2;
    expect(nothing.klom.values.klom_gaussian).toBeGreaterThan(0.8 * exact);
    expect(nothing.klom.values.klom_gaussian).toBeLessThan(1.8 * exact);
    expect(klom.values.klom_gaussian).toBeLessThan(0.3);
    // What others unlearned changes nothing about samples that stay, here.
    for (const name of ['klom_retain', 'klom_test'])
      expect(Math.abs(klom.values[name] - klom.values.klom)).toBeLessThan(0.4);
    expect(klom.values.klom_p99).toBeGreaterThanOrEqual(klom.values.klom_p95);
    expect(klom.values.klom_p95).toBeGreaterThan(klom.values.klom_median);
  });

  it('forgettingScore: what halves of the oracle get for perfect forgetting, next to none where nothing was forgotten', () => {
    const [good, bad] = [perfect.score.values, nothing.score.values];
    expect(Math.abs(good.forgetting_loss)).toBeLessThan(0.1);
    expect(bad.forgetting_loss).toBeGreaterThan(good.forgetting_floor / 2);
    expect(bad.forgetting_quality).toBeLessThan(good.forgetting_quality / 3);
    expect(good.forgetting_score).toBeCloseTo(
      good.forgetting_quality * good.forgetting_retain_ratio * good.forgetting_test_ratio,
      12,
    );
    expect(Math.abs(good.forgetting_retain_ratio - 1)).toBeLessThan(0.05);
    // Points up to ln 15 = 2.7, so up to 3, are the same by both conventions.
    expect(good.forgetting_score_released).toBeLessThanOrEqual(good.forgetting_score);
    expect(good.forgetting_epsilon).toBeLessThan(bad.forgetting_epsilon);
  });

  it('say nothing with too few references, and need the method', async () => {
    const four = given(original, 1, bySamples, 4);
    for (const name of ['klom', 'forgettingScore'] as const) {
      const { values, notes } = await audits[name]().run(four);
      expect(Object.values(values).every((value) => value === null)).toBe(true);
      expect(notes?.join(' ')).toContain('2 models on a side');
    }
    const weak = await audits.ulira().run(four);
    expect(weak.values.ulira_auc).toBeGreaterThan(0.8);
    expect(weak.notes?.join(' ')).toContain('2 models a world make a weak attack');
    const two = await audits.ulira().run(given(original, 1, bySamples, 2));
    expect(two.values.ulira_auc).toBeNull();
    await expect(audits.ulira().run(input(original, bySamples, { references: many }))).rejects.toThrow(
      'ulira: needs the method, to run it on reference models',
    );
  });

  it('of retraining: further retrained models in two halves stand for both worlds', async () => {
    for (const [sets, count] of [
      [bySamples, 32],
      [byClass, 8],
    ] as const) {
      const own = retrained(sets);
      const retrains = Array.from({ length: count }, (_, i) => retrained(sets, 600 + i));
      const one = input(own, sets, { retrain: own, retrains, references: many });
      const { models } = await worldsOf(one);
      expect(models).toHaveLength(count);
      const found = await audits.ulira().run(one);
      expect(within(0.5, found.intervals?.ulira_auc)).toBe(true);
      expect(found.values.ulira_efficacy_auc === null).toBe(sets === byClass);
      expect(found.samples?.map(({ set }) => set)).toEqual(['forget']);
      expect(found.notes?.join(' ')).toContain(`${count / 2} models a world`);
      if (sets === byClass) continue;
      const klom = (await audits.klom().run(one)).values;
      expect(Math.abs(klom.klom_excess as number)).toBeLessThan(0.5);
      expect(klom.klom_gaussian).toBeLessThan(0.3);
      for (const name of ['klom_retain', 'klom_test'] as const)
        expect(Math.abs((klom[name] as number) - (klom.klom as number))).toBeLessThan(0.6);
      const score = (await audits.forgettingScore().run(one)).values;
      expect(Math.abs(score.forgetting_loss as number)).toBeLessThan(0.1);
      expect(Math.abs((score.forgetting_retain_ratio as number) - 1)).toBeLessThan(0.05);
    }
    const own = retrained(bySamples);
    const two = input(own, bySamples, {
      retrain: own,
      retrains: [retrained(bySamples, 601), retrained(bySamples, 602)],
      references: many,
    });
    // What unlearning does to those who stay is asked of references before and after: retrained models are neither.
    await expect(audits.retained().run({ ...two, original })).rejects.toThrow('retained: needs the method');
    const few = await audits.ulira().run(two);
    expect(few.values.ulira_auc).toBeNull();
    expect(few.notes?.join(' ')).toContain(
      '1 models in a world, expected 2 or more: take more retrained models',
    );
  });

  it('ulira: intervals are over models, too, where there are enough of them', async () => {
    const four = await audits.ulira().run(given(original, 0.4, bySamples, 8));
    const two = await audits.ulira().run(given(original, 0.4, bySamples, 6));
    expect(four.notes?.join(' ')).not.toContain('over targets alone');
    expect(two.notes?.join(' ')).toContain('over targets alone: drawing models again takes 4 a world');
    expect(within(four.values.ulira_auc, four.intervals?.ulira_auc)).toBe(true);
    expect(await audits.ulira().run(given(original, 0.4, bySamples, 8))).toEqual(four);
  });

  it('of a forgotten class: privacy alone, and only by U-LiRA', async () => {
    const own = retrained(byClass);
    const found = await audits.ulira().run(given(own, 0, byClass, 16));
    expect(found.values.ulira_efficacy_auc).toBeNull();
    expect(within(0.5, found.intervals?.ulira_auc)).toBe(true);
    expect(found.notes?.join(' ')).toContain('references that never saw a sample still know its class');
    await expect(audits.klom().run(given(own, 0, byClass, 16))).rejects.toThrow(
      'klom: is for forgotten samples',
    );
  });
});

describe('tiny networks', () => {
  it('are attacked, unlearn in every world, and leave no memory behind', async () => {
    const before = lt.memory().buffers + 1; // The key's.
    const model = tinyMlp();
    const [training, test] = [stripes(40, 1), stripes(24, 2)];
    const part = (keep: (position: number) => boolean) =>
      takeSplit(
        training,
        positionsWhere(training, (_, position) => keep(position)),
      );
    const [forget, retain] = [part((p) => p % 4 === 0), part((p) => p % 4 !== 0)];
    const everything = makeSplit({ ...joinSplits(training, test), ids: undefined });
    const options = { epochs: 2, batchSize: 10, learningRate: 0.1 };
    const trained: (Reference & { variables: Variables })[] = [];
    using key = lt.random.key(9);
    for (let i = 0; i < 4; i++) {
      const members = Uint8Array.from({ length: 64 }, (_, place) => (place * 7 + (place >> 2) + i) & 1);
      const data = takeSplit(
        everything,
        positionsWhere(everything, (_, place) => members[place] === 1),
      );
      const { variables } = await train({ model, data, options, key });
      trained.push({
        variables,
        members,
        subject: networkSubject(`reference ${i + 1}`, { model, variables }),
      });
    }
    const { variables } = await train({ model, data: training, options, key });
    const finetune = methods.finetune({ epochs: 1, batchSize: 16, learningRate: 0.02 });
    const unlearn: AuditInput['unlearn'] = async (reference: Reference, forget, retain) => {
      const { variables } = trained.find(
        ({ subject }) => subject === reference.subject,
      ) as (typeof trained)[0];
      const done = await finetune.unlearn({ model, variables, forget, retain, key });
      return {
        subject: networkSubject('unlearned', { model, variables: done.variables }),
        release: () => disposeAll(done.variables),
      };
    };
    const own = networkSubject('original', { model, variables });
    const sets = { forget, retain, test, kept: test, gone: null };
    const given = { ...input(own, sets), classes: CLASSES, references: trained, unlearn };
    const results: unknown[] = [];
    for (const name of ['rmia', 'iam', 'ulira'] as const) {
      const { values } = await audits[name]().run(given);
      const area = values[`${name}_auc` as keyof typeof values];
      expect(area).toBeGreaterThan(0);
      expect(area).toBeLessThanOrEqual(1);
      results.push(values);
    }
    const again = { ...given };
    const reversed = [];
    for (const name of ['ulira', 'iam', 'rmia'] as const)
      reversed.unshift((await audits[name]().run(again)).values);
    expect(reversed).toEqual(results);
    for (const { variables } of trained) disposeAll(variables);
    disposeAll(variables);
    expect(lt.memory().buffers).toBe(before);
  });
});
