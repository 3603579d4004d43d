// The settings a search tries: where they lie, that they are the same every time, and that they keep the budget.

import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { methods } from '../../../unlearn/methods/index.ts';
import type { MethodRecord } from '../../../unlearn/methods/record.ts';
import { int, num, section } from '../../../unlearn/options/fields.ts';
import type { Problem } from '../../../unlearn/options/problems.ts';
import { trainSchema } from '../../../unlearn/options/training.ts';
import { checkRanges } from '../../../unlearn/recipe/ranges.ts';
import { methodEntry } from '../../../unlearn/recipe.ts';
import { drawTrials, effort, type TrialsInput, valueAt } from '../../../unlearn/run/trials.ts';

const schema = section('A method.', {
  epochs: v.optional(int('Passes.', 1, 100), 10),
  learningRate: v.optional(num('Rate.', 0, 1), 0.01),
  rounds: v.optional(int('Rounds.', 1, 9), 2),
});
const input = (change: Partial<TrialsInput> = {}): TrialsInput => ({
  stated: { epochs: 10, learningRate: 0.01, rounds: 2 },
  ranges: { learningRate: { from: 1e-4, to: 1e-1, log: true } },
  schema,
  count: 8,
  seed: 1000,
  allowance: 1e9,
  costOf: ({ epochs, rounds }) => 100 * (epochs as number) + (rounds as number),
  ...change,
});
const rates = (of: Partial<TrialsInput> = {}) =>
  drawTrials(input(of)).options.map(({ learningRate }) => learningRate as number);

describe('trials', () => {
  it('begin with the stated options and fill the range evenly in the logarithm', () => {
    const { options, notes } = drawTrials(input());
    expect(options).toHaveLength(8);
    expect(options[0]).toEqual({ epochs: 10, learningRate: 0.01, rounds: 2 });
    expect(notes).toEqual([]);
    // Of 16 points of the golden-ratio sequence no gap is wider than 3 / 16 of the range, whatever the shift.
    const places = rates({ count: 17 })
      .slice(1)
      .map((rate) => Math.log(rate / 1e-4) / Math.log(1000))
      .sort((a, b) => a - b);
    const gaps = [...places, 1].map((place, i) => place - (places[i - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(3 / 16);
    expect(rates({ count: 17 }).slice(0, 8)).toEqual(rates());
    expect(rates()).toEqual(rates());
    expect(rates({ seed: 1001 }).slice(1)).not.toEqual(rates().slice(1));
    for (const rate of rates()) expect(Number(rate.toPrecision(3))).toBe(rate);
  });

  it('are different settings, as many as lists of values give', () => {
    const ranges = { rounds: [1, 2, 3] };
    const { options, notes } = drawTrials(input({ ranges }));
    expect(options.map(({ rounds }) => rounds).sort()).toEqual([1, 2, 3]);
    expect(notes).toEqual(['rounds: no more than 3 settings to try']);
  });

  it('values: of a list, of a range, whole numbers where the option is one', () => {
    const [epochs, rate] = [schema.entries.epochs, schema.entries.learningRate];
    expect([0, 0.34, 0.999, 1].map((place) => valueAt([1, 2, 3], place, epochs))).toEqual([1, 2, 3, 3]);
    expect(valueAt({ from: 1, to: 20 }, 0.5, epochs)).toBe(11);
    expect(valueAt({ from: 1, to: 4, log: true }, 0.5, epochs)).toBe(2);
    expect(valueAt({ from: 1e-4, to: 1e-2, log: true }, 0.5, rate)).toBe(0.001);
    expect(valueAt({ from: 0.12345, to: 1 }, 0, rate)).toBe(0.12345);
  });

  it('keep the budget: epochs are cut, then what else costs, and where that is not enough trials are left out', () => {
    const costs = (of: Partial<TrialsInput>) => {
      const { options, notes } = drawTrials(input(of));
      const cost = options.reduce((sum, one) => sum + input().costOf(one), 0);
      return { epochs: options.map(({ epochs }) => epochs), cost, notes };
    };
    // 8 trials of 5 epochs cost 4016.
    const cut = costs({ allowance: 4500 });
    expect(cut.epochs).toEqual(new Array(8).fill(5));
    expect(cut.notes).toEqual(['epochs cut to 5 at most, so that 8 trials fit into the budget']);
    const fewer = costs({ allowance: 410 });
    expect(fewer.epochs).toEqual([1, 1, 1, 1]);
    expect(fewer.cost).toBeLessThanOrEqual(410);
    expect(fewer.notes).toEqual([
      'epochs cut to 1, rounds cut to 1 at most',
      '4 of 8 trials fit into the budget',
    ]);
    expect(costs({ allowance: 50 }).notes.at(-1)).toBe('a single trial is more than the budget');
    // Without epochs the whole number that costs most is cut; without any, trials are left out.
    const costOf: TrialsInput['costOf'] = ({ rounds }) => 1000 * (rounds as number);
    const rounds = drawTrials(input({ costOf, allowance: 9000 }));
    expect(rounds.options.map((one) => one.rounds)).toEqual(new Array(8).fill(1));
    const both = drawTrials(
      input({
        costOf: ({ epochs, rounds }) => 100 * (epochs as number) * (rounds as number),
        allowance: 1200,
      }),
    );
    expect(both.options.map(({ epochs, rounds }) => [epochs, rounds])).toEqual(new Array(8).fill([1, 1]));
    expect(both.notes).toEqual([
      'epochs cut to 1, rounds cut to 1 at most, so that 8 trials fit into the budget',
    ]);
    const flat = drawTrials(input({ costOf: () => 1000, allowance: 3000 }));
    expect(flat.options).toHaveLength(3);
  });

  it('are cut in a few looks, however many there are', () => {
    let looks = 0;
    const costOf: TrialsInput['costOf'] = ({ epochs }) => {
      looks++;
      return epochs as number;
    };
    const wide = section('A method.', { ...schema.entries, epochs: int('Passes.', 1, 100_000) });
    const ranges = { epochs: { from: 1, to: 100_000 }, learningRate: { from: 0, to: 1 } };
    const given = input({ schema: wide, ranges, costOf, count: 1000, allowance: 300_000 });
    const { options } = drawTrials(given);
    // As many as differ, each cut to the largest number of epochs with which all of them fit, one more being too many.
    const most = Math.max(...options.map(({ epochs }) => epochs as number));
    const uncut = drawTrials({ ...given, allowance: Number.POSITIVE_INFINITY }).options;
    const sum = (cap: number) => uncut.reduce((all, one) => all + Math.min(cap, one.epochs as number), 0);
    expect(sum(most)).toBeLessThanOrEqual(300_000);
    expect(sum(most + 1)).toBeGreaterThan(300_000);
    expect(looks).toBeLessThan(200 * 1000);
  });

  it.each(Object.values(methods).map(({ record }) => [record.name, record] as const))(
    'the ranges of %s are of its options, and what is drawn from them is taken',
    (name, record: MethodRecord) => {
      const problems: Problem[] = [];
      checkRanges(record.search, record.options, [name], problems);
      expect(problems).toEqual([]);
      if (record.startsFrom === 'nothing') return expect(record.search).toEqual({});
      const stated = methodEntry(name, {}, v.parse(trainSchema, {})).options;
      const costOf: TrialsInput['costOf'] = (options) =>
        effort(record.cost({ forget: 10, retain: 90 }, options));
      const ranges = record.search as TrialsInput['ranges'];
      const given = input({ stated, ranges, schema: record.options, costOf, allowance: 9000 });
      const { options } = drawTrials(given);
      for (const one of options) expect(v.safeParse(record.options, one).issues).toBeUndefined();
      // One trial there is in any case.
      if (options.length > 1)
        expect(options.reduce((sum, one) => sum + costOf(one), 0)).toBeLessThanOrEqual(9000);
    },
  );

  it('a forward pass counts a third', () => expect(effort({ train: 10, infer: 6 })).toBe(12));
});
