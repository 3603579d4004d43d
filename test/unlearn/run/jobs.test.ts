// The plan as a graph of jobs: what depends on what, in any order that allows, carried as JSON; and the keys by which
// finished work is known again.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import { checkJobs, type Executor, inOrder, type Job, planJobs } from '../../../unlearn/run/jobs.ts';
import type { Parts } from '../../../unlearn/run/parts.ts';
import { planCells } from '../../../unlearn/run/plan.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { unsynced, withDisk } from './crash.ts';
import { toyParts, toyRecipe } from './toy.ts';

const cpu = { backend: 'cpu', dtype: 'float32', instructionSet: 'avx2' };
async function cellsOf(recipe = toyRecipe(), parts = toyParts({ controlled: ['boundaryShrink'] })) {
  const runData = await parts.load(recipe);
  return planCells(
    recipe,
    () => runData,
    cpu,
    '1.2.3',
    (method) => parts.needs(recipe, runData, method),
  );
}

it('keys of cells are those they always were: what was done stays done', async () => {
  const keys = (await cellsOf()).map((cell) => [
    cell.id,
    cell.key.slice(0, 16),
    cell.evaluationKey.slice(0, 16),
  ]);
  expect(keys).toEqual([
    ['seed-0-original', '91153913a8f7fa4e', 'fb01f9043536e76c'],
    ['seed-0-retrain', '20b50e33d596c54a', '40b8e5996afc078e'],
    ['seed-0-finetune', '11486d40c51a3519', 'db9560ed94891de2'],
    ['seed-0-boundaryShrink', 'b9eed5f6d14bb566', 'fd029049541db846'],
    ['seed-0-boundaryShrink-rate0', 'eac87b1915b602da', 'a05dd169f41afe01'],
  ]);
});

describe('the graph', () => {
  it('says what depends on what', async () => {
    const cells = await cellsOf(toyRecipe(), toyParts({ prepared: ['boundaryShrink'] }));
    const jobs = planJobs(cells);
    expect(jobs.map(({ id, inputs, outputs }) => [id, inputs, outputs])).toEqual([
      [
        'seed-0-original/train',
        [],
        ['checkpoints/seed-0-original.safetensors', 'cells/seed-0-original.json'],
      ],
      ['seed-0-original/evaluate', ['seed-0-original/train'], ['cells/seed-0-original.json']],
      ['seed-0-retrain/unlearn', [], ['checkpoints/seed-0-retrain.safetensors', 'cells/seed-0-retrain.json']],
      ['seed-0-retrain/evaluate', ['seed-0-retrain/unlearn'], ['cells/seed-0-retrain.json']],
      [
        'seed-0-finetune/unlearn',
        ['seed-0-original/train'],
        ['checkpoints/seed-0-finetune.safetensors', 'cells/seed-0-finetune.json'],
      ],
      ['seed-0-finetune/evaluate', ['seed-0-finetune/unlearn'], ['cells/seed-0-finetune.json']],
      [
        'seed-0-boundaryShrink/prepare',
        [],
        ['checkpoints/seed-0-boundaryShrink-prepared', 'cells/seed-0-boundaryShrink-prepared.json'],
      ],
      [
        'seed-0-boundaryShrink/unlearn',
        ['seed-0-boundaryShrink/prepare'],
        ['checkpoints/seed-0-boundaryShrink', 'cells/seed-0-boundaryShrink.json'],
      ],
      [
        'seed-0-boundaryShrink/evaluate',
        ['seed-0-boundaryShrink/unlearn'],
        ['cells/seed-0-boundaryShrink.json'],
      ],
      [
        'report',
        ['original', 'retrain', 'finetune', 'boundaryShrink'].map((label) => `seed-0-${label}/evaluate`),
        ['results.json', 'report.html'],
      ],
    ]);
    expect(JSON.parse(JSON.stringify(jobs))).toEqual(jobs);
    const keys = jobs.filter(({ action }) => action !== 'evaluate').map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  const job = (id: string, inputs: string[] = [], more: Partial<Job> = {}): Job => ({
    id,
    action: 'train',
    cell: id,
    inputs,
    outputs: [],
    key: '',
    ...more,
  });
  it.each<[string, Job[], string]>([
    ['an input that is none', [job('a', ['b'])], 'jobs: a needs b, which is no job'],
    [
      'a cycle',
      [job('a', ['c']), job('b', ['a']), job('c', ['b'])],
      'jobs: a cycle: a after c after b after a',
    ],
    ['itself', [job('a', ['a'])], 'jobs: a cycle: a after a'],
    ['one id twice', [job('a'), job('b'), job('a')], 'jobs: a is there twice'],
    [
      'one output of two cells',
      [job('a', [], { outputs: ['x'] }), job('b', [], { outputs: ['x'] })],
      'jobs: a and b would both write x',
    ],
  ])('refuses %s', (_, jobs, message) => {
    expect(() => checkJobs(jobs)).toThrow(new LetheError('value', message));
  });

  it('a label that is another’s preparation is refused before anything is done', async () => {
    const methods = [{ name: 'boundaryShrink' }, { name: 'finetune', label: 'boundaryShrink-prepared' }];
    const cells = await cellsOf(toyRecipe({ methods }), toyParts({ prepared: ['boundaryShrink'] }));
    expect(() => planJobs(cells)).toThrow(/would both write cells\/seed-0-boundaryShrink-prepared.json/);
  });

  it('in order: each after its inputs, whatever order they were given in', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat(20), { maxLength: 3 }), { maxLength: 12 }), async (edges) => {
        // Inputs have lower numbers, so there is no cycle; the list is in reverse.
        const jobs = edges
          .map((inputs, i) => job(`${i}`, [...new Set(inputs.filter((n) => n < i))].map(String)))
          .reverse();
        const done: string[] = [];
        const perform = async ({ id, inputs }: Job) => {
          for (const input of inputs) expect(done).toContain(input);
          done.push(id);
        };
        await inOrder.run(jobs, perform, { failed: async () => {} });
        expect(done.sort()).toEqual(jobs.map(({ id }) => id).sort());
      }),
      { numRuns: 50 },
    ));

  it('what needs a job that failed is left out, the report is not; a failure may end all', async () => {
    const jobs = [
      job('a'),
      job('b', ['a']),
      job('c', ['b']),
      job('d'),
      job('report', ['c', 'd'], { action: 'report' }),
    ];
    const done: string[] = [];
    const perform = async ({ id }: Job) => {
      if (id === 'a') throw new RangeError('no');
      done.push(id);
    };
    const told: string[] = [];
    const failed = async ({ id }: Job, cause: unknown) => void told.push(`${id}: ${cause}`);
    await inOrder.run(jobs, perform, { failed });
    expect([done, told]).toEqual([['d', 'report'], ['a: RangeError: no']]);
    const end = async (_: Job, cause: unknown) => {
      throw cause;
    };
    await expect(inOrder.run(jobs, perform, { failed: end })).rejects.toThrow('no');
    const stopped = { failed, signal: AbortSignal.abort(new Error('stop')) };
    await expect(inOrder.run(jobs, perform, stopped)).rejects.toThrow('stop');
  });
});

describe('runs of jobs', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'lethe-jobs-'));
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  const recipe = toyRecipe({ train: { epochs: 1 }, seeds: [0, 1] });
  async function go(name: string, more: Partial<Parameters<typeof run>[1]> = {}, given = recipe) {
    const did: string[] = [];
    const toy = { prepared: ['boundaryShrink'], onWork: (what: string) => did.push(what) };
    const parts: Parts = { ...toyParts(toy), ...more.parts };
    const out = join(base, name);
    const { results } = await withDisk(unsynced, () => run(given, { out, ...more, parts }));
    return { did, results, out };
  }
  /** Names and contents of what was made; times left out. */
  const made = (out: string) =>
    ['checkpoints', 'cells'].flatMap((folder) =>
      readdirSync(join(out, folder), { recursive: true, encoding: 'utf8' })
        .sort()
        .filter((name) => statSync(join(out, folder, name)).isFile())
        .map((name) => [name, timeless(readFileSync(join(out, folder, name)), name)]),
    );
  const timeless = (data: Buffer, name: string) =>
    name.endsWith('.json')
      ? JSON.parse(String(data), (key, value) => (['seconds', 'sha256'].includes(key) ? undefined : value))
      : sha256(data);

  it('carried as data, in any order the graph allows: the same files, the same rows', async () => {
    const whole = await go('whole');
    const shuffled = (order: number): Executor => ({
      async run(jobs, perform, { failed }) {
        const left = structuredClone([...jobs]);
        const done = new Set<string>();
        while (left.length > 0) {
          const ready = left.filter(({ inputs }) => inputs.every((id) => done.has(id)));
          const job = ready[(order * 7919 + done.size * 31) % ready.length];
          left.splice(left.indexOf(job), 1);
          await perform(JSON.parse(JSON.stringify(job))).catch((cause) => failed(job, cause));
          done.add(job.id);
        }
      },
    });
    const orders = new Set<string>();
    for (const order of [1, 2, 3]) {
      const { did, results, out } = await go(`order-${order}`, { executor: shuffled(order) });
      expect(made(out)).toEqual(made(whole.out));
      const rows = (all: typeof results) =>
        all?.runs.map(({ seed, method, metrics: { ua } }) => [seed, method, ua]);
      expect(rows(results)).toEqual(rows(whole.results));
      orders.add(did.join());
    }
    expect(orders.size).toBeGreaterThan(1);
  });

  it('a preparation is done once, whatever is to be forgotten; what is damaged is made again', async () => {
    const one = toyRecipe({ train: { epochs: 1 }, methods: [{ name: 'boundaryShrink' }] });
    const { did, out, results } = await go('a', {}, one);
    expect(did).toEqual([
      ...['original', 'evaluate', 'retrain', 'evaluate'],
      ...['prepare boundaryShrink', 'boundaryShrink', 'evaluate'],
    ]);
    expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual([
      'seed-0-boundaryShrink',
      'seed-0-boundaryShrink-prepared',
      'seed-0-original.safetensors',
      'seed-0-retrain.safetensors',
    ]);
    const row = results?.runs.find(({ method }) => method === 'boundaryShrink');
    expect(row?.details.preparation).toMatchObject({ gradientSteps: 3, seconds: expect.any(Number) });
    expect((await go('a', {}, one)).did).toEqual([]);

    // Shards that did not change are one file in both folders.
    const objects = (folder: string) => readdirSync(join(out, 'checkpoints', folder, 'objects'));
    const [before, after] = [objects('seed-0-boundaryShrink-prepared'), objects('seed-0-boundaryShrink')];
    const shared = after.filter((name) => before.includes(name));
    expect([before.length, after.length, shared.length]).toEqual([3, 3, 2]);
    const inode = (folder: string) => statSync(join(out, 'checkpoints', folder, 'objects', shared[0])).ino;
    expect(inode('seed-0-boundaryShrink')).toBe(inode('seed-0-boundaryShrink-prepared'));

    const parts = toyParts();
    const other: Partial<Parts> = {
      load: async (...args) => {
        const runData = await parts.load(...args);
        return { ...runData, manifest: { ...runData.manifest, ids: [2, 3] } };
      },
    };
    const again = await go('a', { parts: other as Parts }, one);
    expect(again.did).toEqual(['evaluate', 'retrain', 'evaluate', 'boundaryShrink', 'evaluate']);

    const only = after.find((name) => !before.includes(name)) as string;
    rmSync(join(out, 'checkpoints', 'seed-0-boundaryShrink', 'objects', only));
    const warnings: string[] = [];
    const onEvent: NonNullable<Parameters<typeof run>[1]['onEvent']> = (event) => {
      if (event.type === 'note' && event.level === 'warning') warnings.push(event.message);
    };
    const mended = await go('a', { parts: other as Parts, onEvent }, one);
    expect(mended.did).toEqual(['boundaryShrink', 'evaluate']);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^seed-0-boundaryShrink: its artifact is damaged \(.*shards\/1: its contents are gone/,
      ),
      expect.stringMatching(/^seed-0-boundaryShrink: begun anew: .*shards\/1/),
    ]);
    expect((await go('a', { parts: other as Parts }, one)).did).toEqual([]);
  });

  it('further files of a step are an artifact beside its weights, and go when it leaves none', async () => {
    const one = (epochs: number) =>
      toyRecipe({ train: { epochs: 1 }, methods: [{ name: 'finetune', options: { epochs } }] });
    const parts = toyParts();
    const leaving: Partial<Parts> = {
      unlearn: async (task) => {
        if (task.method.name === 'finetune') await task.output.put('ema', 'an average');
        return parts.unlearn(task);
      },
    };
    const { out } = await go('b', { parts: leaving as Parts }, one(1));
    const record = JSON.parse(readFileSync(join(out, 'cells', 'seed-0-finetune.json'), 'utf8'));
    expect([record.weights, record.artifact]).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
    expect((await go('b', { parts: leaving as Parts }, one(1))).did).toEqual([]);
    rmSync(join(out, 'checkpoints', 'seed-0-finetune', 'manifest.json'));
    expect((await go('b', { parts: leaving as Parts }, one(1))).did).not.toEqual([]);
    await go('b', {}, one(2));
    expect(readdirSync(join(out, 'checkpoints'))).toEqual([
      'seed-0-finetune.safetensors',
      'seed-0-original.safetensors',
      'seed-0-retrain.safetensors',
    ]);
  });
});
