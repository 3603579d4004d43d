// Folders of runs, finished, stopped half-way and searched, that something happened to: a run in one of them ends with the
// same bits as if nothing had, or with one clear error; what was whole stays; and once what was damaged is taken away,
// the same command ends with the same bits. LETHE_FUZZ_RUNS asks for more cases, LETHE_FUZZ_SEED for others.

import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { lethe } from '../../../cli/lethe.ts';
import { LetheError } from '../../../engine/error.ts';
import * as lt from '../../../index.ts';
import { Artifact } from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import { defaultParts } from '../../../unlearn/run/default-parts.ts';
import { type RunEvent, run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { unsynced, withDisk } from './crash.ts';
import { type Damage, damage, damages, entriesIn, makeReadable } from './damage.ts';

const RUNS = Number(process.env.LETHE_FUZZ_RUNS ?? 8);
const SEED = Number(process.env.LETHE_FUZZ_SEED ?? 4242);
const device = inject('absent').cpu === null ? 'cpu' : 'reference';

const base = realpathSync(mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lethe-damage-')));
const [out, theirs] = ['out', 'theirs'].map((name) => join(base, name));
afterAll(async () => {
  makeReadable(base);
  rmSync(base, { recursive: true, force: true });
  await lt.close();
});

const options = { epochs: 1, batchSize: 32 };
const plain = {
  name: 'tiny',
  dataset: { name: 'glyphs', options: { trainSize: 60, testSize: 20 } },
  forget: { class: 3 },
  model: { name: 'mlp', options: { hidden: [2] } },
  train: options,
  methods: [
    { name: 'finetune', options },
    { name: 'sisa', options: { shards: 2, slices: 1 } },
    { name: 'arcane' },
  ],
  evaluate: { exhibits: false },
  checkpointSeconds: 0,
};
const tried = { name: 'finetune', options, search: { learningRate: [0.01, 0.1] } };
const searched = { ...plain, methods: [tried], validation: 0.2, search: { trials: 2, budget: 10 } };

/** A folder as it was left, and what a run in it ends with. */
interface Left {
  readonly name: string;
  readonly recipe: object;
  readonly folder: string;
  readonly isDone: boolean;
}
const folders: Left[] = [];
const whole = new Map<object, unknown>();
const parts = defaultParts();

const work = (recipe: object, more: Partial<Parameters<typeof run>[1]> = {}) =>
  withDisk(unsynced, () => run(recipe, { out, parts, device, ...more }));

beforeAll(async () => {
  for (const [name, recipe] of [
    ['plain', plain],
    ['searched', searched],
  ] as const) {
    let steps = 0;
    const keep = (label: string, isDone: boolean) => {
      const folder = join(base, `${name}-${label}`);
      cpSync(out, folder, { recursive: true });
      // Its process is gone.
      rmSync(join(folder, 'lethe.lock'), { force: true });
      folders.push({ name: `${name} ${label}`, recipe, folder, isDone });
    };
    const onEvent = ({ type }: RunEvent) => {
      if (type === 'progress' && ++steps % 7 === 3) keep(`stopped-${steps}`, false);
    };
    await work(recipe, { onEvent });
    keep('done', true);
    whole.set(recipe, await bitsOf(out));
    rmSync(out, { recursive: true });
  }
});

/** A value without times. */
const timeless = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, inner) => (/seconds$/i.test(key) ? undefined : inner));

/** All that a run ends with, but for times. */
async function bitsOf(folder: string): Promise<unknown> {
  // A preparation is no result: where all that was made of it is there, nobody makes it again.
  const names = entriesIn(join(folder, 'checkpoints')).filter(
    (name) => /^seed-[^/]*$/.test(name) && !name.endsWith('-prepared'),
  );
  const bits: Record<string, unknown> = {};
  for (const name of names) {
    const path = join(folder, 'checkpoints', name);
    if (!lstatSync(path).isDirectory()) bits[name] = sha256(readFileSync(path));
    else {
      const artifact = await Artifact.open(folderStore(path));
      await artifact.verify();
      bits[name] = artifact.digest();
    }
  }
  const { runs, search, recipe } = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'));
  const manifest = readFileSync(join(folder, 'forget-manifest.json'), 'utf8');
  expect(readFileSync(join(folder, 'report.html'), 'utf8')).toMatch(/<\/html>\s*$/);
  return { bits, manifest, recipe, ...(timeless({ runs, search }) as object) };
}

function expectClear(error: unknown): void {
  if (!(error instanceof LetheError)) throw error;
  expect(error.message).not.toMatch(
    /\p{Cc}|TypeError|RangeError|(is|of) undefined|not a function|call stack/u,
  );
}

/** Files of cells that were not hit, with what is in them: they have to stay. Records of what goes on may change. */
function untouched({ folder, isDone }: Left, hit: readonly string[]): Map<string, Buffer> {
  const cellOf = (name: string) =>
    /^(?:cells|checkpoints)\/([^/]*?)(?:\.json|\.safetensors)?(?:\/|$)/.exec(name)?.[1];
  const cells = new Set(hit.map(cellOf));
  const isHit = (name: string) => {
    const cell = cellOf(name);
    return (
      cell === undefined ||
      cells.has(cell) ||
      hit.some((path) => name.startsWith(`${path}/`)) ||
      // What is made of a preparation that was hit.
      cells.has(cell.replace(/(-prepared)?$/, '-prepared'))
    );
  };
  const kept = entriesIn(folder).filter(
    (name) =>
      !isHit(name) &&
      (isDone ? true : /^checkpoints\/[^/]*\.safetensors$/.test(name) && !name.includes('trial')),
  );
  const files = kept.filter((name) => lstatSync(join(folder, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(join(folder, name))]));
}

/** What the command line says of the folder, other than by a run. */
async function tell(words: readonly string[]): Promise<void> {
  const said = { out: '', err: '' };
  const stream = (key: 'out' | 'err') => ({
    write: (text: string) => {
      said[key] += text;
    },
    isTTY: false,
  });
  const code = await lethe([...words], {
    stdout: stream('out') as never,
    stderr: stream('err') as never,
    env: {},
    onInterrupt: () => () => {},
  });
  expect(said.err).not.toMatch(/this is a bug|TypeError|RangeError/);
  if (code !== 0) expect(said.err).toMatch(/^lethe: error: .*\n$/);
}

async function survives(left: Left, given: readonly Damage[]): Promise<void> {
  for (const path of [out, theirs]) {
    if (existsSync(path)) makeReadable(path);
    rmSync(path, { recursive: true, force: true });
  }
  mkdirSync(theirs);
  writeFileSync(join(theirs, 'mine.txt'), 'mine');
  cpSync(left.folder, out, { recursive: true });
  const hit = given.flatMap((one) => damage(out, one, theirs));
  const stays = untouched(left, hit);
  const before = entriesIn(out);
  const { recipe } = left;
  await work(recipe, { dryRun: true }).catch(expectClear);
  await tell(['report', out, '--format', 'table']);
  expect(entriesIn(out)).toEqual(before);
  const error = await work(recipe).then(
    () => null,
    (cause) => cause,
  );
  if (error) expectClear(error);
  // Whoever can write seals may write what they like.
  else if (!given.some(({ kind }) => kind === 'sealedJson'))
    expect(await bitsOf(out)).toEqual(whole.get(recipe));
  for (const [name, bytes] of stays) expect(readFileSync(join(out, name)).equals(bytes), name).toBe(true);
  expect(readFileSync(join(theirs, 'mine.txt'), 'utf8')).toBe('mine');
  // What was damaged is taken away.
  makeReadable(out);
  for (const name of hit) rmSync(join(out, name), { recursive: true, force: true });
  await work(recipe);
  expect(await bitsOf(out)).toEqual(whole.get(recipe));
}

describe('a folder that was damaged', { timeout: 1_200_000 }, () => {
  it('is worked in to the same end, or refused by one clear error, and nothing whole is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(999), fc.array(damages, { minLength: 1, maxLength: 3 }), (which, given) =>
        survives(folders[which % folders.length], given),
      ),
      { numRuns: RUNS, seed: SEED },
    );
  });
});
