// The run with a toy laboratory: what is done is skipped, what was begun goes on to the same bits, what is wrong is
// one clear error that leaves a folder the next run can use.

import {
  existsSync,
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
import type { DeviceInfo } from '../../../unlearn/run/parts.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { broken, toyParts, toyRecipe } from './toy.ts';

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'lethe-run-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const weights = (folder = out) =>
  Object.fromEntries(
    readdirSync(join(folder, 'checkpoints'))
      .sort()
      .map((name) => [name, sha256(readFileSync(join(folder, 'checkpoints', name)))]),
  );

async function go(recipe: object = toyRecipe(), more: Partial<Parameters<typeof run>[1]> = {}) {
  const did: string[] = [];
  const events: RunEvent[] = [];
  const outcome = await run(recipe, {
    out,
    parts: toyParts({ onWork: (what) => did.push(what) }),
    onEvent: (event) => events.push(event),
    ...more,
  });
  return { outcome, did, events };
}

describe('a run', () => {
  it('makes every file, pairs retrain, and measures its own time', async () => {
    const { outcome, did } = await go(toyRecipe({ seeds: [0, 1] }));
    expect(did.filter((w) => w !== 'evaluate')).toEqual([
      'original',
      'retrain',
      'finetune',
      'boundaryShrink',
      'original',
      'retrain',
      'finetune',
      'boundaryShrink',
    ]);
    expect(readdirSync(out).sort()).toEqual([
      'cells',
      'checkpoints',
      'forget-manifest.json',
      'log.txt',
      'report.html',
      'results.json',
    ]);
    const results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
    expect(results.version).toBe(1);
    expect(results.recipe).toEqual(JSON.parse(JSON.stringify(outcome.recipe)));
    expect(results.runs.map((r: { method: string; seed: number }) => `${r.seed} ${r.method}`)).toHaveLength(
      8,
    );
    for (const r of results.runs) {
      expect(r.cost.seconds).toBeGreaterThanOrEqual(0);
      expect(r.metrics.rte_seconds).toBe(r.cost.seconds);
      const target = results.runs.find((t: typeof r) => t.seed === r.seed && t.method === 'retrain');
      const gap =
        ['ua', 'ra', 'ta', 'mia'].reduce((s, k) => s + Math.abs(r.metrics[k] - target.metrics[k]), 0) / 4;
      expect(r.metrics.avg_gap).toBeCloseTo(gap, 9);
    }
    expect(readFileSync(join(out, 'log.txt'), 'utf8')).toMatch(
      /^\d{4}-\d\d-\d\dT\S+ plan: 8 cells, 0 done already\n/,
    );
  });

  it('skips what is done and redoes what a change touches, no more', async () => {
    await go();
    expect((await go()).did).toEqual([]);
    const other = toyRecipe({
      methods: [{ name: 'finetune', options: { epochs: 3 } }, { name: 'boundaryShrink' }],
    });
    expect((await go(other)).did).toEqual(['finetune', 'evaluate']);
    expect((await go(toyRecipe({ evaluate: { batchSize: 7 } }))).did).toEqual([
      'evaluate',
      'evaluate',
      'finetune',
      'evaluate',
      'evaluate',
    ]);
    expect((await go(toyRecipe({ train: { epochs: 4 } }))).did.filter((w) => w !== 'evaluate')).toHaveLength(
      4,
    );
  });

  it('runs a control at learning rate 0 beside what needs one, unless told not to', async () => {
    const recipe = toyRecipe({ seeds: [0, 1] });
    const parts = toyParts({ controlled: ['boundaryShrink'] });
    const planned = (await go(recipe, { parts, dryRun: true })).outcome.plan;
    const { outcome } = await go(recipe, { parts });
    const rows = outcome.results!.runs.filter((r) => r.control !== undefined);
    expect(rows.map((r) => [r.seed, r.method, r.control])).toEqual([
      [0, 'boundaryShrink-rate0', 'boundaryShrink'],
      [1, 'boundaryShrink-rate0', 'boundaryShrink'],
    ]);
    const of = outcome.results!.runs.find((r) => r.method === 'boundaryShrink')!;
    expect(rows[0].options).toEqual({ ...of.options, learningRate: 0 });
    expect(rows[0].metrics.avg_gap).toEqual(expect.any(Number));
    expect(planned.map((cell) => cell.label).slice(0, 5)).toEqual([
      'original',
      'retrain',
      'finetune',
      'boundaryShrink',
      'boundaryShrink-rate0',
    ]);
    expect(planned.filter((cell) => cell.control).every((cell) => cell.estimate!.seconds > 0)).toBe(true);

    // Without them nothing else is made or measured again.
    const without = toyRecipe({ seeds: [0, 1], evaluate: { controls: false } });
    const again = await go(without, { parts });
    expect(again.events.filter((e) => e.type === 'start').map((e) => e.action)).toEqual(['report']);
    expect(again.outcome.results!.runs.some((r) => r.control)).toBe(false);

    const still = toyRecipe({ methods: [{ name: 'boundaryShrink', options: { learningRate: 0 } }] });
    const none = await go(still, { parts, dryRun: true });
    expect(none.outcome.plan.map((cell) => cell.label)).toEqual(['original', 'retrain', 'boundaryShrink']);
    const taken = [{ name: 'boundaryShrink' }, { name: 'finetune', label: 'boundaryShrink-rate0' }];
    await expect(go(toyRecipe({ methods: taken }), { parts })).rejects.toThrow(
      'methods: the label "boundaryShrink-rate0" is that of the control of boundaryShrink; expected another label',
    );
  });

  it('what a piece of work warns of is a note, in the log too', async () => {
    const { events } = await go(toyRecipe(), { parts: toyParts({ warning: 'learns nothing' }) });
    const notes = events.flatMap((e) => (e.type === 'note' ? [`${e.level}: ${e.message}`] : []));
    const warnings = notes.filter((note) => note.startsWith('warning: '));
    expect(warnings[0]).toBe('warning: seed-0-original: learns nothing');
    expect(warnings).toHaveLength(4);
    expect(readFileSync(join(out, 'log.txt'), 'utf8')).toContain(
      'warning: seed-0-original: learns nothing\n',
    );
  });

  it('redoes a cell whose weights were damaged or deleted', async () => {
    await go();
    const before = weights();
    truncateSync(join(out, 'checkpoints', 'seed-0-finetune.safetensors'), 100);
    rmSync(join(out, 'checkpoints', 'seed-0-boundaryShrink.safetensors'));
    expect((await go()).did).toEqual(['finetune', 'evaluate', 'boundaryShrink', 'evaluate']);
    expect(weights()).toEqual(before);
    writeFileSync(join(out, 'cells', 'seed-0-finetune.json'), '{"version":1,');
    expect((await go()).did).toEqual(['finetune', 'evaluate']);
  });

  it('--resume refuses to replace results of other settings, a plain run warns', async () => {
    await go();
    const other = toyRecipe({ train: { epochs: 4 } });
    await expect(go(other, { resume: true })).rejects.toThrow(
      /--resume: .* other settings for seed-0-original/,
    );
    const { events } = await go(other);
    expect(events).toContainEqual({
      type: 'note',
      level: 'warning',
      message: 'seed-0-original: replacing a result of other settings',
    });
  });

  it.each([
    ['instruction set', { instructionSet: 'avx512' }, { instructionSet: 'avx2' }],
    ['way of convolutions', { exact: false }, { exact: true }],
    ['adapter', { adapter: 'nvidia, ampere' }, { adapter: 'intel, gen-12lp' }],
  ])('another %s makes other bits: what is there is replaced, not continued', async (_, here, there) => {
    const on = (facts: object, more: object = {}) => {
      const parts = toyParts({});
      const open = async (): Promise<DeviceInfo> => ({ backend: 'toy', dtype: 'float32', ...facts });
      return go(toyRecipe(), { ...more, parts: { ...parts, open } });
    };
    const states = async (facts: object) =>
      (await on(facts, { dryRun: true })).outcome.plan.map((c) => c.state);
    await on({ ...here, threads: 2 });
    expect(new Set(await states({ ...here, threads: 7, processor: 'another' }))).toEqual(new Set(['done']));
    expect(new Set(await states(there))).toEqual(new Set(['replace']));
    await expect(on(there, { resume: true })).rejects.toThrow(/other settings for seed-0-original/);
  });

  it('a dry run estimates and touches nothing', async () => {
    rmSync(out, { recursive: true });
    const { outcome, did } = await go(toyRecipe(), { dryRun: true });
    expect(existsSync(out)).toBe(false);
    expect(did).toEqual([]);
    expect(outcome.plan.map((c) => c.state)).toEqual(['todo', 'todo', 'todo', 'todo']);
    // Retrain: 3 epochs of 18 training samples, then a look at all 20 + 10 images.
    expect(outcome.plan[1].estimate?.seconds).toBeCloseTo(0.1 + 54 * 0.001 + 30 * 0.0005, 9);
  });

  it('seed and device given beside the recipe win', async () => {
    const { outcome } = await go(toyRecipe(), { seed: 5, device: 'reference' });
    expect(outcome.recipe).toMatchObject({ seeds: [5], device: 'reference' });
    expect(outcome.results?.device.backend).toBe('reference');
    expect(weights()).not.toEqual({});
  });
});

describe('stopping and going on', () => {
  it('a signal stops at a safe point; the same command ends at the same bits', async () => {
    await go();
    const whole = weights();
    for (const after of [1, 9, 20]) {
      rmSync(out, { recursive: true });
      const stop = new AbortController();
      let steps = 0;
      const watch = (event: RunEvent) => event.type === 'progress' && ++steps === after && stop.abort();
      await expect(go(toyRecipe(), { signal: stop.signal, onEvent: watch })).rejects.toThrow(
        'the same command goes on from here',
      );
      const { events } = await go();
      expect(weights()).toEqual(whole);
      const resumed = events.filter((e) => e.type === 'progress').length;
      expect(resumed).toBe(12 + 9 + 6 + 30 - after);
    }
  });

  it('one method that fails does not stop the others, unless asked to', async () => {
    const parts = toyParts({ fail: { method: 'finetune', error: broken() } });
    const { outcome } = await go(toyRecipe(), { parts });
    expect(outcome.failures).toEqual([{ cell: 'seed-0-finetune', reason: 'the loss is not a number' }]);
    expect(outcome.results?.runs.map((r) => r.method)).toEqual(['original', 'retrain', 'boundaryShrink']);
    expect(existsSync(join(out, 'report.html'))).toBe(true);
    await expect(go(toyRecipe(), { parts, failFast: true })).rejects.toThrow('the loss is not a number');
    const retrain = toyParts({ fail: { method: 'retrain', error: broken() } });
    rmSync(out, { recursive: true });
    await expect(go(toyRecipe(), { parts: retrain })).rejects.toThrow('the loss is not a number');
  });

  it('after a device failed the same one is opened again; the run ends where that cannot be', async () => {
    const lost = new LetheError('device', 'the device was lost');
    const parts = toyParts({ fail: { method: 'finetune', error: lost } });
    let opened = 0;
    const open: typeof parts.open = (name) => {
      opened++;
      return parts.open(name);
    };
    const { outcome } = await go(toyRecipe(), { parts: { ...parts, open } });
    expect(opened).toBe(2);
    expect(outcome.results?.runs.map((r) => r.method)).toEqual(['original', 'retrain', 'boundaryShrink']);
    rmSync(out, { recursive: true });
    let first = true;
    const another: typeof parts.open = async (name) => {
      const device = await parts.open(name);
      if (first) {
        first = false;
        return device;
      }
      return { ...device, backend: 'another' };
    };
    await expect(go(toyRecipe(), { parts: { ...parts, open: another } })).rejects.toThrow(
      'the device was lost',
    );
  });
});

describe('the folder', () => {
  it('that cannot be made or written is one clear error', async () => {
    const file = join(out, 'file');
    writeFileSync(file, '');
    const error = await go(toyRecipe(), { out: join(file, 'below') }).catch((e) => e);
    expect(error).toBeInstanceOf(LetheError);
    expect(error.kind).toBe('io');
    expect(error.message).toMatch(/^could not make .*ENOTDIR/);
  });

  it('loses the temporary files of a killed process', async () => {
    await go();
    writeFileSync(join(out, 'checkpoints', '.seed-0-x.safetensors.1.0123456789ab.tmp'), 'half');
    await go();
    expect(readdirSync(join(out, 'checkpoints')).filter((n) => n.endsWith('.tmp'))).toEqual([]);
  });
});
