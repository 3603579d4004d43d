// Work cut off at every moment, on a disk that keeps no promise it did not make: the same command ends with the same
// weights, metrics and files, and what had been said to be done is not done again.

import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { temporaryFor } from '../../../unlearn/files.ts';
import type { RunEvent } from '../../../unlearn/run/log.ts';
import { trainFile } from '../../../unlearn/run/single.ts';
import { runVaried } from '../../../unlearn/run/varied.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import {
  type Crash,
  crashes,
  readTree,
  record,
  several,
  type Tree,
  unsynced,
  withDisk,
  writeTree,
} from './crash.ts';
import { toyParts, toyRecipe } from './toy.ts';

const recipe = toyRecipe({
  train: { epochs: 1 },
  methods: [{ name: 'finetune', options: { epochs: 1 } }],
});

type Work = (folder: string, onEvent: (event: RunEvent) => void) => Promise<unknown>;

/** In folders that are still to be made. */
const wholeRun: Work = (folder, onEvent) =>
  run(recipe, { out: join(folder, 'made', 'out'), parts: toyParts(), onEvent });
/** A method that prepares, and one that leaves an average beside its weights; the others may be done already. */
const withArtifacts =
  (methods: object[]): Work =>
  (folder, onEvent) => {
    const parts = toyParts({ prepared: ['boundaryShrink'] });
    const unlearn: typeof parts.unlearn = async (task) => {
      if (task.method.name === 'finetune') await task.output.put('ema', 'an average');
      return parts.unlearn(task);
    };
    const given = toyRecipe({ train: { epochs: 1 }, methods });
    return run(given, { out: join(folder, 'made', 'out'), parts: { ...parts, unlearn }, onEvent });
  };
const oneFile: Work = (folder, onEvent) =>
  trainFile(recipe, join(folder, 'made', 'w.safetensors'), { parts: toyParts(), onEvent });

// In memory where that can be had: thousands of small files.
const base = realpathSync(mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lethe-crash-')));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const fresh = () => mkdtempSync(join(base, 'f'));

/** Locks of this process become those of one that is gone. */
const orphaned = (tree: Tree): Tree =>
  new Map(
    [...tree].map(([path, data]) => {
      const name = temporaryFor(basename(path)) ?? basename(path);
      if (!data || !/lethe\.lock(\.next)*$/.test(name)) return [path, data];
      return [path, Buffer.from(String(data).replace(/"pid":\d+/, `"pid":${2 ** 22 + 12345}`))];
    }),
  );

/** All that has to be equal: names, weights, metrics. Times differ. */
function result(tree: Tree): unknown[] {
  const timeless = (text: Buffer) =>
    JSON.parse(String(text), (key, value) =>
      ['seconds', 'rte_seconds', 'written', 'sha256'].includes(key) ? undefined : value,
    );
  return [...tree].map(([path, data]) => [
    path,
    // A page that is no toy's tells times.
    path.endsWith('.txt') || (path.endsWith('.html') && String(data).includes('report-data'))
      ? ''
      : path.endsWith('.json')
        ? timeless(data as Buffer)
        : data && sha256(data),
  ]);
}

/** What was done a second time though it had been said to be done. */
function repeated(before: readonly RunEvent[], again: readonly RunEvent[]): string[] {
  const step = (event: RunEvent) => (event.type === 'progress' ? Number(event.progress.step) : 0);
  return before.flatMap((event) => {
    if (event.type !== 'end' && event.type !== 'progress') return [];
    const same = again.filter((e) => 'cell' in e && e.cell === event.cell);
    // The toy tells its progress once the state is saved; the report is always drawn anew.
    const twice =
      event.type === 'end'
        ? event.action !== 'report' && same.some((e) => e.type === 'start' && e.action === event.action)
        : same.some((e) => e.type === 'progress' && e.action === event.action && step(e) <= step(event));
    return twice ? [`${event.cell}: ${event.type} ${step(event)}`] : [];
  });
}

/** Records the work in a folder that was left in a state, and goes on from each crash of it. Gives the crashes. */
async function survives(work: Work, before: Tree = new Map()): Promise<Crash[]> {
  const folder = fresh();
  writeTree(folder, before);
  const { ops, said } = await record<RunEvent>(folder, (say) => work(folder, say));
  const whole = result(readTree(folder));
  const states = crashes({ ops, said }, before);
  // Everything that changed the folder went through the calls that were noted.
  const end = states.find(
    ({ about }) => about === `${ops.length} of ${ops.length} operations, lost: nothing`,
  );
  expect(result((end as Crash).tree).toSorted()).toEqual(whole.toSorted());
  const goOn = async (crash: Crash) => {
    const place = fresh();
    writeTree(place, orphaned(crash.tree));
    const again: RunEvent[] = [];
    await work(place, (event) => again.push(event));
    expect(result(readTree(place)), crash.about).toEqual(whole);
    expect(repeated(said.slice(0, crash.said), again), crash.about).toEqual([]);
    rmSync(place, { recursive: true });
  };
  await withDisk(unsynced, () => several(states, goOn));
  return states;
}

const named = (name: string) => (crash: Crash) => [...crash.tree.keys()].some((path) => path.endsWith(name));

it('a run goes on to the same bits, its first attempt and its second', async () => {
  const first = await survives(wholeRun);
  expect(first.length).toBeGreaterThan(200);
  // Killed in the middle of a method: its lock and two states of its work are there.
  const middle = first
    .filter(named('unfinished/seed-0-finetune.previous.safetensors'))
    .find(named('lethe.lock'));
  const second = await survives(wholeRun, orphaned((middle as Crash).tree));
  expect(second.length).toBeGreaterThan(100);
});

it('artifacts too: a preparation, what is forgotten of it, files beside weights', async () => {
  const folder = fresh();
  await withDisk(unsynced, () => withArtifacts([{ name: 'retrain' }])(folder, () => {}));
  const more = withArtifacts([{ name: 'boundaryShrink' }, { name: 'finetune', options: { epochs: 1 } }]);
  expect((await survives(more, readTree(folder))).length).toBeGreaterThan(100);
});

it('a search too: a trial’s weights go once it is measured, and nothing of it is made twice', async () => {
  const searching =
    (trials: number): Work =>
    (folder, onEvent) => {
      const methods = [{ name: 'finetune', options: { epochs: 1 } }];
      const given = toyRecipe({ train: { epochs: 2 }, methods, validation: 0.1, search: { trials } });
      return run(given, { out: join(folder, 'made', 'out'), parts: toyParts(), onEvent });
    };
  const folder = fresh();
  await withDisk(unsynced, () => searching(1)(folder, () => {}));
  expect((await survives(searching(2), readTree(folder))).length).toBeGreaterThan(50);
});

it('several runs too: what one takes over from another is whole, or is made', async () => {
  const methods = [{ name: 'finetune', options: { epochs: 1 } }, { name: 'boundaryShrink' }];
  const vary = {
    about: 'epochs',
    runs: [
      { label: 'a', set: {} },
      { label: 'b', set: { 'methods.finetune.options.epochs': 2 } },
    ],
  };
  const given = toyRecipe({ train: { epochs: 1 }, methods, vary });
  const parts = toyParts({ prepared: ['boundaryShrink'] });
  const several: Work = (folder, onEvent) =>
    runVaried(given, { out: join(folder, 'made', 'out'), parts, onEvent });
  const folder = fresh();
  await withDisk(unsynced, () => several(folder, () => {}));
  // The second is still to be made, beside the first.
  const left = [...readTree(folder)].filter(([path]) => !path.includes('out/b'));
  expect((await survives(several, new Map(left))).length).toBeGreaterThan(100);
});

it('a single step goes on to the same bits', async () => {
  expect((await survives(oneFile)).length).toBeGreaterThan(50);
});
