// The search before a run: trials are cells that are made once, what is chosen follows from what they were worth, and the
// whole of it survives being stopped anywhere.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRecipe, parseRecipe } from '../../../unlearn/recipe.ts';
import type { RunEvent } from '../../../unlearn/run/log.ts';
import { loadResults } from '../../../unlearn/run/results.ts';
import { run } from '../../../unlearn/run.ts';
import type { SearchTrial } from '../../../unlearn/types.ts';
import { unsynced, withDisk } from './crash.ts';
import { broken, type ToyOptions, toyParts, toyRecipe } from './toy.ts';

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'lethe-search-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const searched = (change: object = {}) =>
  toyRecipe({
    validation: 0.2,
    search: { trials: 4 },
    train: { epochs: 8 },
    methods: [
      { name: 'finetune', options: { epochs: 2 } },
      { name: 'boundaryShrink', search: { learningRate: [1e-5, 1e-4], epochs: { from: 1, to: 4 } } },
      { name: 'randomLabels', options: { epochs: 1 }, search: false },
    ],
    ...change,
  });

async function go(recipe: object, toy: ToyOptions = {}, more: Partial<Parameters<typeof run>[1]> = {}) {
  const did: string[] = [];
  const events: RunEvent[] = [];
  const parts = toyParts({ ...toy, onWork: (what) => did.push(what) });
  const onEvent = (event: RunEvent) => events.push(event);
  const outcome = await withDisk(unsynced, () => run(recipe, { out, parts, onEvent, ...more }));
  return { ...outcome, did: did.filter((what) => what !== 'evaluate'), events };
}

const json = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'));
const score = (trial: SearchTrial, rule: 'retrain' | 'alone') => trial[rule] ?? Number.POSITIVE_INFINITY;

describe('a search', () => {
  it('tries settings on a seed of its own and runs what was best', async () => {
    const { did, plan, search, results } = await go(searched());
    expect(did).toEqual([
      ...['original', 'retrain'],
      ...[0, 1, 2, 3].map((i) => `finetune-trial-${i}`),
      ...[0, 1, 2, 3].map((i) => `boundaryShrink-trial-${i}`),
      ...['original', 'retrain', 'finetune', 'boundaryShrink', 'randomLabels'],
    ]);
    expect(plan.filter(({ judge }) => judge === 'validation').map(({ seed }) => seed)).toEqual(
      new Array(10).fill(1000),
    );
    expect(results?.search).toEqual(search);
    expect(await loadResults(join(out, 'results.json'))).toEqual(json('results.json'));
    expect(search?.methods.map(({ method }) => method)).toEqual(['finetune', 'boundaryShrink']);

    // What the trials were worth, worked out from the records of the cells.
    const measured = (label: string) => json(`cells/seed-1000-${label}.json`).evaluation;
    const [original, retrain] = [measured('original'), measured('retrain')].map(({ metrics }) => metrics);
    for (const { method, trials, best, chosen } of search!.methods) {
      for (const [i, trial] of trials.entries()) {
        const { metrics: own, unseen } = measured(`${method}-trial-${i}`);
        const gaps = ['ua', 'ra', 'ta', 'mia'].map((key) => Math.abs(own[key] - retrain[key]));
        expect(trial.retrain).toBeCloseTo(gaps.reduce((a, b) => a + b) / 4, 9);
        const drops = ['ra', 'ta'].map((key) => Math.max(0, original[key] - own[key]));
        expect(trial.alone).toBeCloseTo((unseen + drops[0] + drops[1]) / 3, 9);
        expect(trial.metrics).toEqual({ ua: own.ua, ra: own.ra, va: own.ta, mia: own.mia });
      }
      for (const rule of ['retrain', 'alone'] as const) {
        const all = trials.map((trial) => score(trial, rule));
        expect(best[rule]).toBe(all.indexOf(Math.min(...all)));
      }
      expect(chosen).toBe(best.retrain);
      const row = results!.runs.find((run) => run.method === method)!;
      expect(row.options).toEqual(trials[chosen!].options);
      expect(row.seed).toBe(0);
    }
    // The recipe that is written down asks for the same search again.
    expect(checkRecipe(results!.recipe)).toEqual(searched());

    // Weights of trials are not kept, and nothing is made twice.
    expect(readdirSync(join(out, 'checkpoints')).filter((name) => name.includes('trial'))).toEqual([]);
    expect((await go(searched())).did).toEqual([]);
  });

  it('keeps the budget: the trials of a method cost no more than one retraining', async () => {
    const { search } = await go(searched({ search: {} }));
    expect(search!.retraining.samples).toBe(8 * 18);
    for (const { trials } of search!.methods)
      expect(trials.reduce((sum, { samples }) => sum + samples, 0)).toBeLessThanOrEqual(8 * 18);
    expect(search!.methods[0].notes).toEqual([
      'epochs cut to 1 at most, so that 8 trials fit into the budget',
    ]);
    // The stated options are tried under the same limit, and what was tried is what is run.
    expect(search!.methods[0].trials[0].options).toMatchObject({ epochs: 1, learningRate: 0.01 });
  });

  it('another rule, more trials, other seeds: what is known is not made again', async () => {
    await go(searched());
    const alone = await go(searched({ search: { trials: 4, rule: 'alone' } }));
    const { methods } = alone.search!;
    expect(methods.map(({ chosen, best }) => chosen === best.alone)).toEqual([true, true]);
    const moved = methods.flatMap(({ method, best }) => (best.alone === best.retrain ? [] : [method]));
    expect(alone.did).toEqual(moved);
    const more = await go(searched({ search: { trials: 5, rule: 'alone', budget: 2 } }));
    expect(more.did.filter((what) => what.includes('trial'))).toEqual([
      'finetune-trial-4',
      'boundaryShrink-trial-4',
    ]);
    const seeds = await go(searched({ search: { trials: 5, rule: 'alone', budget: 2 }, seeds: [0, 7] }));
    expect(seeds.did).toEqual(['original', 'retrain', 'finetune', 'boundaryShrink', 'randomLabels']);
    // To measure trials otherwise they are made again: their weights are gone.
    const other = {
      search: { trials: 5, rule: 'alone', budget: 2 },
      seeds: [0, 7],
      evaluate: { miaDraws: 2 },
    };
    expect((await go(searched(other))).did.filter((what) => what.includes('trial'))).toHaveLength(10);
  });

  it('a setting that leads to nothing is an answer: it is not chosen, not tried again and no failure', async () => {
    const toy = { fail: { method: 'finetune-trial-2', error: broken() } };
    const { search, failures, events } = await go(searched(), toy);
    expect(failures).toEqual([]);
    const [{ trials, chosen }] = search!.methods;
    expect(trials[2]).toMatchObject({ retrain: null, alone: null, failed: 'the loss is not a number' });
    expect(chosen).not.toBe(2);
    expect(trials[chosen!].retrain).toBeGreaterThanOrEqual(0);
    expect(events).toContainEqual({
      type: 'note',
      level: 'info',
      message: 'seed-1000-finetune-trial-2: leads to nothing: the loss is not a number',
    });
    expect((await go(searched())).did).toEqual([]);
  });

  it('a trial that fails for another reason leaves its method out, and the next run goes on with it', async () => {
    const toy = { fail: { method: 'finetune-trial-2', error: new Error('no luck') } };
    const { failures, results, events } = await go(searched(), toy);
    expect(failures).toEqual([{ cell: 'seed-1000-finetune-trial-2', reason: 'no luck' }]);
    expect(results!.runs.map(({ method }) => method)).toEqual([
      ...['original', 'retrain', 'boundaryShrink', 'randomLabels'],
    ]);
    const said = events.flatMap((event) => (event.type === 'note' ? event.message : []));
    expect(said).toContain('search: finetune: left out, not all of its trials could be made');
    const { did, search } = await go(searched());
    expect(did).toEqual(['finetune-trial-2', 'finetune']);
    rmSync(out, { recursive: true });
    const { methods } = (await go(searched())).search!;
    const worth = (of: typeof methods) => of.map(({ trials }) => trials.map(({ retrain }) => retrain));
    expect(worth(search!.methods)).toEqual(worth(methods));
  });

  it('stopped anywhere it goes on: the same choice, the same rows', async () => {
    const small = searched({
      train: { epochs: 2 },
      search: { trials: 2 },
      methods: [{ name: 'finetune', options: { epochs: 1 } }],
    });
    const whole = await go(small);
    const facts = ({ search, results }: typeof whole) =>
      JSON.stringify([
        search!.methods.map(({ trials, best }) => [trials.map((t) => [t.options, t.retrain, t.alone]), best]),
        results!.runs.map(({ method, options, metrics: { ua, ra } }) => [method, options, ua, ra]),
      ]);
    // In the search's original, in its last trial, and in what it chose.
    const order = whole.events.flatMap((event) => (event.type === 'progress' ? event.cell : []));
    for (const cell of ['seed-1000-original', 'seed-1000-finetune-trial-1', 'seed-0-finetune']) {
      const after = order.indexOf(cell) + 1;
      rmSync(out, { recursive: true });
      const stop = new AbortController();
      let seen = 0;
      const onEvent = (event: RunEvent) => event.type === 'progress' && ++seen === after && stop.abort();
      await expect(go(small, {}, { signal: stop.signal, onEvent })).rejects.toThrow('goes on from here');
      const rest = await go(small);
      expect(facts(rest)).toBe(facts(whole));
      expect(rest.events.filter(({ type }) => type === 'progress').length).toBe(order.length - after);
    }
  });

  it('a dry run shows the trials and writes nothing; --resume refuses only what it would replace', async () => {
    const dry = await go(searched(), {}, { dryRun: true });
    expect(dry.plan.filter(({ trial }) => trial).map(({ state }) => state)).toEqual(
      new Array(8).fill('todo'),
    );
    expect(dry.plan.every(({ estimate }) => estimate!.seconds > 0)).toBe(true);
    expect(readdirSync(out)).toEqual([]);
    await go(searched());
    const done = await go(searched(), {}, { dryRun: true });
    expect(new Set(done.plan.map(({ state }) => state))).toEqual(new Set(['done']));
    // Other ranges: trials that differ are replaced, which --resume does not do.
    const methods = [{ name: 'finetune', options: { epochs: 2 }, search: { learningRate: [1, 2, 3] } }];
    await expect(go(searched({ methods }), {}, { resume: true })).rejects.toThrow(
      /--resume: .* other settings for seed-1000-finetune-trial-1/,
    );
    await expect(go(searched(), {}, { seed: 1000 })).rejects.toThrow(
      'search: seed 1000 is reported; expected another seed',
    );
  });
});

it('with the real parts: a rate that diverges leads to nothing, the better of the others is run', async () => {
  const recipe = checkRecipe({
    name: 'real',
    dataset: { name: 'glyphs', options: { trainSize: 70, testSize: 20 } },
    forget: { ratio: 0.2 },
    validation: 0.3,
    model: { name: 'mlp', options: { hidden: [8] } },
    train: { epochs: 4, batchSize: 16, learningRate: 0.01 },
    methods: [
      // With this decay a rate of 1000 multiplies the weights by 999 each step.
      {
        name: 'finetune',
        options: { batchSize: 4, epochs: 1, weightDecay: 1 },
        search: { learningRate: [1e-3, 1000] },
      },
    ],
    search: { trials: 3 },
    evaluate: { miaDraws: 1, exhibits: false },
    device: 'reference',
  });
  const { search, results, failures } = await withDisk(unsynced, () => run(recipe, { out }));
  expect(failures).toEqual([]);
  const [finetune] = search!.methods;
  const at = (rate: number) => finetune.trials.find(({ options }) => options.learningRate === rate);
  expect(at(1000)!.failed).toMatch(/^finetune: .* at epoch 1 of 1, step \d+ of \d+/);
  expect(at(1000)!.retrain).toBeNull();
  expect(finetune.trials[finetune.chosen!].retrain).toBe(Math.min(at(0.01)!.retrain!, at(1e-3)!.retrain!));
  for (const { method, trials, chosen } of search!.methods)
    expect(results!.runs.find((row) => row.method === method)!.options).toEqual(trials[chosen!].options);
  expect(readdirSync(out)).toContain('forget-manifest-1000.json');
  expect(json('forget-manifest-1000.json').ids).not.toEqual(json('forget-manifest.json').ids);
});

describe('what a recipe says of a search', () => {
  const text = (lines: string) => `name: s
dataset: { name: glyphs }
forget: { ratio: 0.1 }
model: { name: mlp }
${lines}`;
  const plain = 'validation: 0.1\nsearch: {}\nmethods: [{ name: finetune, search: { learningRate: [1] } }]';

  it('is completed and comes back', () => {
    const recipe = parseRecipe(text(plain));
    expect(recipe.search).toEqual({ seed: 1000, trials: 8, budget: 1, rule: 'retrain' });
    expect(recipe.methods[1].search).toEqual({ learningRate: [1] });
    expect(checkRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  it.each([
    ['search: {}\nmethods: [{ name: finetune }]', 'search: expected validation beside it'],
    [`${plain}\nseeds: [1000]`, 'search.seed: expected a seed that is not reported, got 1000'],
    [`${plain}\nseeds: [{ train: 1, forget: 1000 }]`, 'expected a seed that is not reported'],
    [
      'validation: 0.7\nmethods: [{ name: finetune }]',
      'validation: expected a number from 0 to 0.5, got 0.7',
    ],
    ['methods: [{ name: finetune, search: 3 }]', 'methods.0.search: expected false, or a map of options'],
    [
      'methods: [{ name: finetune, search: { learnRate: [1] } }]',
      'unknown key "learnRate"; did you mean "learningRate"?',
    ],
    ['methods: [{ name: finetune, search: { epochs: [1, 0] } }]', 'search.epochs: 0 is no value of epochs'],
    ['methods: [{ name: finetune, search: { epochs: [] } }]', 'search.epochs: expected a list of values, or'],
    [
      'methods: [{ name: finetune, search: { learningRate: { from: 0, to: 1, log: true } } }]',
      'search.learningRate: expected a list of values, or { from, to } with from below to',
    ],
    ['methods: [{ name: sisa, search: { shards: [1] } }]', 'sisa trains anew, with options of its own'],
  ])('%s', (lines, message) => {
    expect(() => parseRecipe(text(lines))).toThrow(message);
  });
});
