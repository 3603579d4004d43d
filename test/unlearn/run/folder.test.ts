// The folder of a run: what is not the run's is left alone, what is damaged is made again or refused by name, and
// nothing that lies in a file's place makes a run wait.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import { Artifact } from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import type { disk } from '../../../unlearn/files.ts';
import type { RunEvent } from '../../../unlearn/run/log.ts';
import { trainFile, unlearnFile } from '../../../unlearn/run/single.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { unsynced, withDisk } from './crash.ts';
import { toyParts, toyRecipe } from './toy.ts';

const recipe = toyRecipe({ train: { epochs: 1 }, methods: [{ name: 'finetune', options: { epochs: 1 } }] });

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'lethe-folder-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

/** Lays files down, folders where the contents are null. */
function lay(files: Readonly<Record<string, string | null>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(out, name);
    mkdirSync(text === null ? path : dirname(path), { recursive: true });
    if (text !== null) writeFileSync(path, text);
  }
}

/** Runs; gives what was worked on and what was warned of. */
async function go(more: Partial<Parameters<typeof run>[1]> = {}) {
  const did: string[] = [];
  const warnings: string[] = [];
  const onEvent = (event: RunEvent) => {
    if (event.type === 'note' && event.level === 'warning') warnings.push(event.message);
  };
  const parts = toyParts({ onWork: (what) => did.push(what) });
  const { results } = await withDisk(unsynced, () => run(recipe, { out, parts, onEvent, ...more }));
  return { did, warnings, results };
}
const failure = (work: Promise<unknown>): Promise<LetheError> =>
  work.then(
    () => Promise.reject(new Error('it went well')),
    (error) => error,
  );
const everything = () => readdirSync(out, { recursive: true, encoding: 'utf8' }).sort();

describe('a folder that holds something else', () => {
  it.each<[string, Record<string, string | null>, string]>([
    ['files', { 'thesis.txt': 'x', '.bashrc': 'y' }, '.bashrc, thesis.txt, not a run'],
    ['many of them', { a: '', b: '', c: '', d: '' }, 'a, b, c and more, not a run'],
    ['only hidden ones', { '.profile': '' }, '.profile, not'],
    ['only a log', { 'log.txt': 'mine' }, 'log.txt, not'],
    [
      'results of something else',
      { 'results.json': '[]', 'report.html': '' },
      'report.html, results.json, not',
    ],
    ['pictures of cells', { 'cells/a.png': '', checkpoints: null }, 'cells, not'],
    ['weights of something else', { 'checkpoints/epoch-1.pt': '' }, 'checkpoints, not'],
    ['work unfinished', { 'unfinished/thesis.txt': 'x', '.draft.tmp': 'y' }, '.draft.tmp, unfinished, not'],
    ['a temporary file', { '.x.1.0123456789ab.tmp': '' }, '.x.1.0123456789ab.tmp, not'],
    ['a file of a folder’s name', { cells: 'x' }, 'cells, not'],
  ])('%s: is refused, and left as it was', async (_, files, told) => {
    lay(files);
    const before = everything();
    for (const dryRun of [false, true]) {
      const error = await failure(go({ dryRun }));
      expect(error.kind).toBe('value');
      expect(error.message).toContain(`holds ${told}`);
      expect(error.message).toMatch(/^--out .*; expected a new or empty folder, or one of a run$/);
    }
    expect(everything()).toEqual(before);
  });

  it.each<[string, Record<string, string | null>]>([
    ['an empty one', {}],
    ['with the lock of a process that is gone', { 'lethe.lock': '{}' }],
    ['with a lock half made', { '.lethe.lock.1.0123456789ab.tmp': '' }],
    ['with empty folders of a run', { cells: null, checkpoints: null }],
    [
      'with all folders of a run, and a log',
      { cells: null, checkpoints: null, unfinished: null, 'log.txt': '' },
    ],
    [
      'without its manifest',
      { 'cells/seed-0-original.json': '{}', 'results.json': '{}', 'notes.md': 'mine' },
    ],
    ['with one checkpoint', { 'unfinished/seed-1-original.safetensors': '', 'notes.md': 'mine' }],
  ])('%s: is taken', async (_, files) => {
    lay(files);
    await go();
    expect(existsSync(join(out, 'report.html'))).toBe(true);
    expect(existsSync(join(out, 'notes.md'))).toBe('notes.md' in files);
  });

  it('in the folder of a run, what is not the run’s stays', async () => {
    await go();
    const mine = {
      'notes.md': 'a',
      '.draft.tmp': 'b',
      '.results.json.tmp': 'b',
      'unfinished/thesis.txt': 'c',
      'unfinished/seed-9-other.safetensors': 'another plan’s',
      'cells/.mine.1.0123456789ab.tmp': 'd',
      'checkpoints/.seed-0-original.safetensors.1.abc.tmp': 'e',
    };
    const ours = {
      '.results.json.1.0123456789ab.tmp': '',
      'cells/.seed-0-original.json.1.0123456789ab.tmp': '',
      'unfinished/seed-0-finetune.safetensors': '',
      'unfinished/seed-0-finetune.previous.safetensors': '',
    };
    lay({ ...mine, ...ours });
    await go();
    const left = everything();
    for (const name of Object.keys(mine)) expect(left).toContain(name);
    for (const name of Object.keys(ours)) expect(left).not.toContain(name);
  });
});

describe('what is damaged', () => {
  const cell = () => join(out, 'cells', 'seed-0-finetune.json');
  const weights = () => sha256(readFileSync(join(out, 'checkpoints', 'seed-0-finetune.safetensors')));

  it('a record: every flipped bit is noticed; the weights serve where their part is whole', async () => {
    await go();
    const [whole, made] = [readFileSync(cell()), weights()];
    const { results } = JSON.parse(`{"results":${readFileSync(join(out, 'results.json'))}}`);
    const from = whole.indexOf('"evaluation"');
    const seen = new Set<string>();
    // Every 13th byte: both parts, keys, values and the marks between them.
    for (let at = 0; at < whole.length; at += 13) {
      const bad = Buffer.from(whole);
      bad[at] ^= 1 << (at % 8);
      writeFileSync(cell(), bad);
      const { did, warnings, results: again } = await go();
      expect(weights()).toBe(made);
      expect(again?.runs.map((r) => r.metrics.ua)).toEqual(
        results.runs.map((r: { metrics: { ua: number } }) => r.metrics.ua),
      );
      expect(warnings, `byte ${at}`).toHaveLength(1);
      expect(warnings[0]).toMatch(/^seed-0-finetune: its (record|metrics) /);
      expect(did).toEqual(/its metrics/.test(warnings[0]) ? ['evaluate'] : ['finetune', 'evaluate']);
      if (/its metrics/.test(warnings[0])) expect(at).toBeGreaterThan(from);
      seen.add(warnings[0].replace(/ \(.*/, ''));
    }
    expect([...seen].sort()).toEqual([
      'seed-0-finetune: its metrics do not match their checksum',
      'seed-0-finetune: its record cannot be read',
      'seed-0-finetune: its record does not match its checksum',
    ]);
    const log = readFileSync(join(out, 'log.txt'), 'utf8');
    expect(log).toContain('warning: seed-0-finetune: its record does not match its checksum\n');
  });

  it.each<[string, object, string]>([
    ['without a cost', { cost: undefined }, 'record is'],
    ['whose cost is no map', { cost: 3 }, 'record is'],
    ['of another version', { version: 2 }, 'record is'],
    ['whose details are a list', { details: [] }, 'record is'],
    ['without metrics', { metrics: undefined }, 'metrics are'],
    ['with a metric that is a word', { metrics: { ua: 'all' } }, 'metrics are'],
    ['with pictures that are none', { exhibits: { samples: [null] } }, 'metrics are'],
  ])('a record %s, its checksums right, is made or measured again', async (_, change, which) => {
    await go();
    const { sha256: _seal, evaluation, ...made } = JSON.parse(readFileSync(cell(), 'utf8'));
    const { sha256: _other, ...measured } = evaluation;
    const seal = (value: object) => ({ ...value, sha256: sha256(JSON.stringify(value)) });
    const isMade = which === 'record is';
    const sealed = seal({ ...made, ...(isMade && change) });
    const text = JSON.stringify({ ...sealed, evaluation: seal({ ...measured, ...(!isMade && change) }) });
    writeFileSync(cell(), text);
    const { did, warnings } = await go();
    expect(warnings).toEqual([`seed-0-finetune: its ${which} of another form`]);
    expect(did).toEqual(isMade ? ['finetune', 'evaluate'] : ['evaluate']);
  });

  it('a number written by hand is not believed', async () => {
    await go();
    const text = readFileSync(cell(), 'utf8');
    writeFileSync(cell(), text.replace(/"ua":\d+/, '"ua":12.5'));
    expect((await go()).warnings).toEqual(['seed-0-finetune: its metrics do not match their checksum']);
    expect(readFileSync(join(out, 'results.json'), 'utf8')).not.toContain('12.5');
  });

  it.each(['{"version":1}', 'null', '[]', '3', '{"evaluation":null}'])('the record %s', async (text) => {
    await go();
    writeFileSync(cell(), text);
    expect((await go()).did).toEqual(['finetune', 'evaluate']);
  });

  it('weights that are not those recorded, or gone', async () => {
    await go();
    writeFileSync(join(out, 'checkpoints', 'seed-0-finetune.safetensors'), 'x');
    rmSync(join(out, 'checkpoints', 'seed-0-retrain.safetensors'));
    const { warnings, did } = await go();
    expect(warnings).toEqual([
      'seed-0-retrain: its weights are gone',
      'seed-0-finetune: its weights are not the ones recorded',
    ]);
    expect(did).toEqual(['retrain', 'evaluate', 'finetune', 'evaluate']);
  });
});

describe('something else in place of a file', () => {
  const places = [
    'lethe.lock',
    'log.txt',
    'results.json',
    'report.html',
    'forget-manifest.json',
    'checkpoints/seed-0-finetune.safetensors',
    'cells/seed-0-finetune.json',
    'unfinished/seed-0-finetune.safetensors',
  ];
  const kinds: [string, (path: string) => void][] = [
    ['a folder', (path) => mkdirSync(path)],
    ['a pipe', (path) => void execFileSync('mkfifo', [path])],
  ];
  const cases = kinds.flatMap(([kind, make]) => places.map((place) => [kind, place, make] as const));
  it.skipIf(process.platform === 'win32').each(cases)('%s, %s: one clear error', async (_, place, make) => {
    await go();
    const path = join(out, place);
    rmSync(path, { force: true });
    mkdirSync(dirname(path), { recursive: true });
    make(path);
    const { kind, message } = await failure(go());
    expect(message).toContain(`${path}: not a regular file`);
    expect(kind).toBe('io');
    rmSync(path, { recursive: true });
    await go();
  });

  it('log.txt as a link leads nowhere', async () => {
    await go();
    const theirs = join(out, 'theirs.txt');
    writeFileSync(theirs, 'mine\n');
    rmSync(join(out, 'log.txt'));
    symlinkSync(theirs, join(out, 'log.txt'));
    expect((await failure(go())).message).toContain('log.txt: not a regular file');
    expect(readFileSync(theirs, 'utf8')).toBe('mine\n');
  });

  it('other links are replaced, not followed', async () => {
    await go();
    const theirs = join(out, 'theirs.txt');
    writeFileSync(theirs, 'mine\n');
    rmSync(join(out, 'results.json'));
    symlinkSync(theirs, join(out, 'results.json'));
    await go();
    expect(readFileSync(theirs, 'utf8')).toBe('mine\n');
    expect(JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')).version).toBe(1);
  });
});

describe('a folder that cannot be made', () => {
  it.skipIf(process.platform !== 'linux')('in /proc: an error, at once', async () => {
    const error = await failure(go({ out: '/proc/x/y' }));
    expect(error.kind).toBe('io');
    expect(error.message).toMatch(/^could not make \/proc\/x\/y: ENOENT/);
  });

  it('on a disk that is read-only: says so', async () => {
    const mkdir = (async (path: string) => {
      const code = path === join(out, 'a') ? 'EROFS' : 'ENOENT';
      throw Object.assign(new Error(`${code}: no, mkdir '${path}'`), { code });
    }) as typeof disk.mkdir;
    const parts = toyParts();
    const work = () => run(recipe, { out: join(out, 'a', 'b'), parts });
    expect((await failure(withDisk({ mkdir }, work))).message).toMatch(/^could not make .*b: EROFS/);
  });

  it('because a file has its name', async () => {
    writeFileSync(join(out, 'file'), '');
    const { message } = await failure(go({ out: join(out, 'file') }));
    expect(message).toMatch(/^could not make .*file: EEXIST/);
  });
});

describe('the log', () => {
  it('goes on below a line that was cut off', async () => {
    await go();
    writeFileSync(join(out, 'log.txt'), '2026-01-01T00:00:00.000Z cut o');
    await go();
    expect(readFileSync(join(out, 'log.txt'), 'utf8')).toMatch(
      /cut o\n\d{4}-\S+ plan: 3 cells, 3 done already\n/,
    );
  });
});

describe('a single step', () => {
  const file = () => join(out, 'w.safetensors');
  const parts = toyParts();
  const train = (by = parts) => trainFile(recipe, file(), { parts: by });

  it('begun while another writes the same file: it is told who, and the other ends', async () => {
    let error = new LetheError('value', 'not asked');
    await train({
      ...parts,
      train: async (task) => {
        error = await failure(train());
        return parts.train(task);
      },
    });
    expect(error.kind).toBe('state');
    expect(error.message).toMatch(
      /w\.safetensors: in use by process \d+; wait for it, .*w\.safetensors\.lethe\.lock/,
    );
    expect(everything()).toEqual(['w.safetensors']);
  });

  it('of a method that prepares starts from the folder of a run', async () => {
    await train();
    const own = toyParts({ prepared: ['boundaryShrink'] });
    const recipe = toyRecipe({ train: { epochs: 1 }, methods: [{ name: 'boundaryShrink' }] });
    const from = join(out, 'run', 'checkpoints', 'seed-0-boundaryShrink-prepared');
    const to = join(out, 'forgot');
    const unlearn = (start: string, options: object = {}) =>
      unlearnFile(recipe, start, 'boundaryShrink', to, { parts: own, ...options });
    expect((await failure(unlearn(file()))).message).toBe(
      'boundaryShrink does not start from weights; expected the folder that lethe run prepared, RUN/checkpoints/seed-0-boundaryShrink-prepared',
    );
    expect(everything()).toEqual(['w.safetensors']);
    await run(recipe, { out: join(out, 'run'), parts: own });
    const done = await unlearn(from);
    const whole = await Artifact.open(folderStore(join(out, 'run', 'checkpoints', 'seed-0-boundaryShrink')));
    expect(done).toMatchObject({ file: to, sha256: whole.digest() });
    expect(await unlearn(from)).toMatchObject({ sha256: done.sha256 });
    expect((await failure(unlearn(from, { seed: 7 }))).message).toMatch(
      /prepared: prepared with another recipe, data, seed or device/,
    );
    expect((await failure(unlearnFile(recipe, from, 'finetune', to, { parts: own }))).message).toMatch(
      /^weights: /,
    );
    const itself = unlearnFile(recipe, from, 'boundaryShrink', from, { parts: own });
    expect((await failure(itself)).message).toMatch(/holds another artifact/);
  });

  it('leaves what is not its own', async () => {
    const mine = ['.w.safetensors.tmp', '.v.safetensors.1.0123456789ab.tmp', 'w.safetensors.lock'];
    lay(Object.fromEntries([...mine, '.w.safetensors.1.0123456789ab.tmp'].map((name) => [name, 'x'])));
    await train();
    expect(everything()).toEqual([...mine, 'w.safetensors'].sort());
  });
});
