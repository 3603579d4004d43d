// The runs of a recipe with `vary`, by a toy laboratory: each is an ordinary run, what they have in common is made once, and a
// command that was stopped, killed or refused goes on.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import type { RunEvent } from '../../../unlearn/run/log.ts';
import { loadAny, loadResults } from '../../../unlearn/run/results.ts';
import { trainFile } from '../../../unlearn/run/single.ts';
import { runVaried } from '../../../unlearn/run/varied.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { unsynced, withDisk } from './crash.ts';
import { broken, type ToyOptions, toyParts, toyRecipe } from './toy.ts';

let out: string;
beforeEach(() => {
  // In memory where that can be had: many small files.
  out = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lethe-varied-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const runs = [
  { label: 'a', at: 1, set: {} },
  { label: 'b', at: 2, set: { forget: { ids: [3] } } },
  { label: 'c', at: 3, set: { 'methods.finetune.options.epochs': 3 } },
];
const recipeOf = (more: object = {}, own: readonly object[] = runs) =>
  toyRecipe({ train: { epochs: 1 }, vary: { about: 'what differs', runs: own }, ...more });

/** Toys whose forget set is that of the recipe, as far as keys go. */
const toys = (options: ToyOptions = {}) => {
  const parts = toyParts(options);
  const load: typeof parts.load = async (recipe, folder) => {
    const runData = await parts.load(recipe, folder);
    const { ids } = recipe.forget;
    if (!ids) return runData;
    return {
      ...runData,
      manifest: { ...runData.manifest, kind: 'samples', classes: [], classIndex: null, ids },
    };
  };
  return { ...parts, load };
};

async function go(
  recipe: object = recipeOf(),
  more: Partial<Parameters<typeof runVaried>[1]> = {},
  toy: ToyOptions = {},
) {
  const did: string[] = [];
  const events: RunEvent[] = [];
  const outcome = await withDisk(unsynced, () =>
    runVaried(recipe, {
      out,
      parts: toys({ onWork: (what) => did.push(what), ...toy }),
      onEvent: (event) => events.push(event),
      ...more,
    }),
  );
  return { outcome, did, events, notes: events.flatMap((e) => (e.type === 'note' ? [e.message] : [])) };
}

const weights = (label: string, folder = out) =>
  Object.fromEntries(
    readdirSync(join(folder, label, 'checkpoints'))
      .sort()
      .filter((name) => name.endsWith('.safetensors'))
      .map((name) => [name, sha256(readFileSync(join(folder, label, 'checkpoints', name)))]),
  );
const read = (...path: string[]) => JSON.parse(readFileSync(join(out, ...path), 'utf8'));

describe('several runs', () => {
  it('each is the run by itself, and what they have in common is made once', async () => {
    const { outcome, did, notes } = await go();
    expect(outcome.failures).toEqual([]);
    expect(did).toEqual([
      ...[
        'original',
        'evaluate',
        'retrain',
        'evaluate',
        'finetune',
        'evaluate',
        'boundaryShrink',
        'evaluate',
      ],
      // Another forget set: only the original is the same, and is measured on it.
      ...['evaluate', 'retrain', 'evaluate', 'finetune', 'evaluate', 'boundaryShrink', 'evaluate'],
      // Another method alone: all else is there, its measures too.
      ...['finetune', 'evaluate'],
    ]);
    expect(notes.filter((note) => note.includes('taken over'))).toEqual([
      'b: seed-0-original: taken over from a',
      ...['original', 'retrain', 'boundaryShrink'].map((name) => `c: seed-0-${name}: taken over from a`),
    ]);
    expect(readdirSync(out).sort()).toEqual(['a', 'b', 'c', 'report.html', 'results.json']);
    const recipe = recipeOf() as ReturnType<typeof recipeOf>;
    for (const [i, { label }] of runs.entries()) {
      const alone = join(out, `${label}-alone`);
      const { vary, ...base } = recipe;
      const { results } = await withDisk(unsynced, () =>
        run({ ...base, ...vary?.runs[i].set }, { out: alone, parts: toys() }),
      );
      expect(weights(`${label}-alone`)).toEqual(weights(label));
      const metrics = ({ runs: rows }: { runs: readonly { method: string; metrics: object }[] }) =>
        rows.map(({ method, metrics: m }) => [method, { ...m, rte_seconds: 0 }]);
      expect(metrics(read(label, 'results.json'))).toEqual(
        JSON.parse(JSON.stringify(metrics(results as NonNullable<typeof results>))),
      );
      expect(read(label, 'results.json').recipe).toEqual(
        JSON.parse(JSON.stringify({ ...base, ...vary?.runs[i].set })),
      );
    }
  });

  it('their results stand in short beside them, and are checked when they are read', async () => {
    const { outcome } = await go();
    const found = await loadAny(join(out, 'results.json'));
    expect(found).toEqual(JSON.parse(JSON.stringify(outcome.results)));
    expect(found).toMatchObject({
      version: 1,
      kind: 'varied',
      about: 'what differs',
      runs: runs.map(({ label, at }) => ({ label, at, verdict: { grade: 'void' } })),
    });
    const { runs: rows } = read('b', 'results.json');
    const ua = rows.find(({ method }: { method: string }) => method === 'finetune').metrics.ua;
    const own = outcome.results?.runs[1].models.find(({ label }) => label === 'finetune');
    expect(own?.figures.ua).toEqual({ mean: ua, std: null, n: 1 });
    expect(own?.figures.avg_gap.measurable).toBe(false);
    await expect(loadResults(join(out, 'results.json'))).rejects.toThrow('the results of several runs');
    const bad = { ...read('results.json') };
    bad.runs[1].models[0].figures.ua.mean = 'x';
    writeFileSync(join(out, 'bad.json'), JSON.stringify(bad));
    await expect(loadAny(join(out, 'bad.json'))).rejects.toThrow(
      'runs.1.models.0.figures.ua.mean: expected a number, got "x"',
    );
  });

  it('what is done is skipped, and a change touches no more than it has to', async () => {
    await go();
    expect((await go()).did).toEqual([]);
    const other = runs.map((one) =>
      one.label === 'c' ? { ...one, set: { 'methods.finetune.options.epochs': 4 } } : one,
    );
    expect((await go(recipeOf({}, other))).did).toEqual(['finetune', 'evaluate']);
    await expect(go(recipeOf(), { resume: true })).rejects.toThrow('--resume: ');
  });

  it('what is damaged next door is made anew, and said', async () => {
    await go();
    truncateSync(join(out, 'a', 'checkpoints', 'seed-0-original.safetensors'), 100);
    rmSync(join(out, 'b'), { recursive: true });
    rmSync(join(out, 'c', 'checkpoints', 'seed-0-original.safetensors'));
    const whole = weights('a');
    const { did, notes } = await go();
    // The first makes it again, as no other has it whole; the others take that.
    expect(did.slice(0, 2)).toEqual(['original', 'evaluate']);
    expect(did.filter((what) => what === 'original')).toHaveLength(1);
    expect(notes).toContain('b: seed-0-original: taken over from a');
    expect(weights('a')).not.toEqual(whole);
    expect(weights('b')['seed-0-original.safetensors']).toBe(weights('a')['seed-0-original.safetensors']);
    truncateSync(join(out, 'a', 'checkpoints', 'seed-0-retrain.safetensors'), 100);
    rmSync(join(out, 'c', 'cells', 'seed-0-retrain.json'));
    const again = await go(undefined, {}, {});
    // c is whole but for its record: what a has is no longer what was recorded there.
    expect(again.did.filter((what) => what === 'retrain')).toHaveLength(1);
  });

  it('preparations, artifacts, trials and banks are shared like weights', async () => {
    const shared = recipeOf(
      {
        methods: [
          { name: 'finetune', options: { epochs: 1 } },
          { name: 'boundaryShrink', search: false },
        ],
        validation: 0.1,
        search: { trials: 2 },
        audits: ['rmia'],
      },
      [
        { label: 'a', set: {} },
        { label: 'b', set: { forget: { ids: [3] } } },
        { label: 'c', set: { audits: ['rmia', 'probe'] } },
      ],
    );
    const toy = { prepared: ['boundaryShrink'] };
    const { did } = await go(shared, {}, toy);
    const count = (what: string) => did.filter((one) => one === what).length;
    expect(count('prepare boundaryShrink')).toBe(1);
    expect(count('bank references')).toBe(1);
    expect(count('original')).toBe(2);
    // One more audit of each of four models; the trials and what they chose are those of the first.
    const last = did.slice(did.lastIndexOf('audit rmia') + 1);
    expect(new Set(last)).toEqual(new Set(['audit probe']));
    expect(last).toHaveLength(4);
    expect((await go(shared, {}, toy)).did).toEqual([]);
  });
});

describe('plans', () => {
  it('a dry run counts no work twice and writes nothing', async () => {
    rmSync(out, { recursive: true });
    const { outcome, did } = await go(recipeOf(), { dryRun: true });
    expect(did).toEqual([]);
    expect(existsSync(out)).toBe(false);
    const told = outcome.plan.map(({ id, state, takenFrom }) =>
      [id, state, takenFrom].filter(Boolean).join(' '),
    );
    expect(told).toEqual([
      ...['original', 'retrain', 'finetune', 'boundaryShrink'].map((name) => `a/seed-0-${name} todo`),
      'b/seed-0-original evaluate a',
      ...['retrain', 'finetune', 'boundaryShrink'].map((name) => `b/seed-0-${name} todo`),
      ...['original', 'retrain'].map((name) => `c/seed-0-${name} done a`),
      'c/seed-0-finetune todo',
      'c/seed-0-boundaryShrink done a',
    ]);
    // What is taken over costs an evaluation at most: 20 training and 10 test images at 0.5 ms.
    expect(outcome.plan[4].estimate?.seconds).toBeCloseTo(30 * 0.0005, 9);
    expect(outcome.results).toBeNull();
  });

  it('one that was made counts for those before it, too', async () => {
    await go();
    rmSync(join(out, 'a'), { recursive: true });
    const { outcome } = await go(recipeOf(), { dryRun: true });
    expect(outcome.plan.slice(0, 4).map(({ state, takenFrom }) => `${state} ${takenFrom}`)).toEqual([
      'evaluate b',
      'done c',
      'todo undefined',
      'done c',
    ]);
    const { did } = await go();
    expect(did.filter((what) => what !== 'evaluate')).toEqual(['finetune']);
  });

  it('a step is measured once, and events tell of all runs', async () => {
    let measured = 0;
    const parts = toys();
    const measure: typeof parts.measure = (...of) => {
      measured++;
      return parts.measure(...of);
    };
    const { events } = await go(recipeOf(), { parts: { ...parts, measure } });
    expect(measured).toBe(1);
    const plans = events.flatMap((event) => (event.type === 'plan' ? [event.cells] : []));
    expect(plans.map((cells) => cells.length)).toEqual([12, 12, 12]);
    expect(plans.map((cells) => cells.filter(({ state }) => state === 'done').length)).toEqual([3, 7, 11]);
    const starts = events.flatMap((event) => (event.type === 'start' ? [event] : []));
    expect(starts.every(({ total, cell }) => total === 12 && /^[abc]\//.test(cell))).toBe(true);
    const places = starts.filter(({ action }) => action !== 'report').map(({ index }) => index);
    expect(places).toEqual([...places].sort((x, y) => x - y));
    expect(starts.find(({ cell }) => cell === 'c/seed-0-finetune')?.index).toBe(11);
  });

  it('what one of them cannot do is told before anything is done', async () => {
    const parts = toys();
    const load: typeof parts.load = async (recipe, folder) => {
      if (recipe.forget.ids) throw new LetheError('value', 'no training sample has id 3');
      return parts.load(recipe, folder);
    };
    rmSync(out, { recursive: true });
    await expect(go(recipeOf(), { parts: { ...parts, load } })).rejects.toThrow(
      'run b of vary: no training sample has id 3',
    );
    expect(existsSync(out)).toBe(false);
  });
});

describe('failing and stopping', () => {
  it('a signal stops at a safe point; the same command ends at the same bits', async () => {
    await go();
    const whole = runs.map(({ label }) => weights(label));
    for (const after of [2, 14, 30]) {
      rmSync(out, { recursive: true });
      const stop = new AbortController();
      let steps = 0;
      const onEvent = (event: RunEvent) => event.type === 'progress' && ++steps === after && stop.abort();
      await expect(go(recipeOf(), { signal: stop.signal, onEvent })).rejects.toThrow(
        `stopped; the same command goes on from here (${out})`,
      );
      expect(read('results.json').runs.map(({ label }: { label: string }) => label)).toEqual(['a', 'b', 'c']);
      await go();
      expect(runs.map(({ label }) => weights(label))).toEqual(whole);
    }
  });

  it('a method that fails is told of its run; a run without a retrain leaves the others', async () => {
    const first = await go(recipeOf(), {}, { fail: { method: 'finetune', error: broken() } });
    expect(first.outcome.failures).toEqual(
      ['a', 'b', 'c'].map((label) => ({
        cell: `${label}/seed-0-finetune`,
        reason: 'the loss is not a number',
      })),
    );
    rmSync(out, { recursive: true });
    const parts = toys();
    const unlearn: typeof parts.unlearn = async (task) => {
      if (task.method.name === 'retrain' && task.recipe.forget.ids) throw broken();
      return parts.unlearn(task);
    };
    const second = await go(recipeOf(), { parts: { ...parts, unlearn } });
    expect(second.outcome.failures).toEqual([{ cell: 'b', reason: 'the loss is not a number' }]);
    expect(second.outcome.runs.map(({ label }) => label)).toEqual(['a', 'c']);
    expect(second.outcome.results?.runs.map(({ verdict }) => verdict?.grade ?? null)).toEqual([
      'void',
      null,
      'void',
    ]);
    expect(second.notes).toContain('b failed: the loss is not a number');
    expect(existsSync(join(out, 'report.html'))).toBe(true);
    await expect(
      go(recipeOf({ train: { epochs: 2 } }), { parts: { ...parts, unlearn }, failFast: true }),
    ).rejects.toThrow('the loss is not a number');
  });

  it('seed and device are those of all', async () => {
    const { outcome } = await go(recipeOf(), { seed: 5, device: 'reference' });
    for (const { label, outcome: one } of outcome.runs) {
      expect(one.recipe).toMatchObject({ seeds: [5], device: 'reference' });
      expect(Object.keys(weights(label))[0]).toBe('seed-5-boundaryShrink.safetensors');
    }
  });
});

describe('one run, several runs', () => {
  it('each refuses the recipe of the other', async () => {
    await expect(run(recipeOf(), { out, parts: toys() })).rejects.toThrow(
      'recipe "toy": vary asks for several runs, and this works on one; expected runVaried',
    );
    await expect(go(toyRecipe())).rejects.toThrow('recipe toy: it has no vary');
    await expect(trainFile(recipeOf(), join(out, 'w.safetensors'), { parts: toys() })).rejects.toThrow(
      'vary asks for several runs',
    );
    const given = { original: 'x', unlearned: ['y'] };
    await expect(run(recipeOf(), { out, parts: toys(), given })).rejects.toThrow(
      'vary asks for several runs',
    );
  });

  it('and the folder of the other, and any that is in use for something else', async () => {
    await run(toyRecipe(), { out: join(out, 'one'), parts: toys() });
    await expect(go(recipeOf(), { out: join(out, 'one') })).rejects.toThrow(
      /--out .*: holds a run; expected a new/,
    );
    await go(recipeOf(), { out: join(out, 'many') });
    await expect(run(toyRecipe(), { out: join(out, 'many'), parts: toys() })).rejects.toThrow(
      /holds .*, not a run/,
    );
    mkdirSync(join(out, 'mine'));
    writeFileSync(join(out, 'mine', 'thesis.txt'), '');
    await expect(go(recipeOf(), { out: join(out, 'mine') })).rejects.toThrow(
      'holds thesis.txt, not runs of one recipe',
    );
    // Without its results it is still known by its runs.
    rmSync(join(out, 'many', 'results.json'));
    expect((await go(recipeOf(), { out: join(out, 'many') })).did).toEqual([]);
  });

  it('two commands never work in one folder', async () => {
    let second: unknown;
    const parts = toys();
    const train: typeof parts.train = async (task) => {
      second = await runVaried(recipeOf(), { out, parts: toys() }).catch((error) => error);
      return parts.train(task);
    };
    await go(recipeOf(), { parts: { ...parts, train } });
    expect(String(second)).toMatch(/in use by process \d+/);
  });
});
