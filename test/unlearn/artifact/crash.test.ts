// An artifact in a folder, cut off at every moment, and on a disk of which any call may fail: the old artifact is there,
// or the new one, whole; and the same work then ends with the same files.

import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import { Artifact } from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import {
  crashes,
  readTree,
  record,
  several,
  type Tree,
  unsynced,
  withDisk,
  writeTree,
} from '../run/crash.ts';
import { faulty } from '../run/faulty.ts';

const base = realpathSync(
  mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lethe-artifact-')),
);
afterAll(() => rmSync(base, { recursive: true, force: true }));
const fresh = () => mkdtempSync(join(base, 'f'));

const prepared = (folder: string) => folderStore(join(folder, 'made', 'prepared'));
const forgotten = (folder: string) => folderStore(join(folder, 'made', 'forgotten'));

/** Prepares, then forgets: a fork in which one shard is made anew and one is gone; says when each is done. */
async function work(folder: string, say: (what: string) => void): Promise<void> {
  const artifact = Artifact.create(prepared(folder), { method: 'sisa', key: 'p' });
  for (const i of [0, 1, 2]) await artifact.put(`shards/${i}`, `shard ${i}`);
  await artifact.commit();
  say('prepared');
  const forked = await artifact.fork(forgotten(folder), { key: 'f' });
  await forked.commit();
  say('forked');
  await forked.put(
    'shards/1',
    ['shard ', '1 anew'].map((s) => new TextEncoder().encode(s)),
  );
  forked.remove('shards/2');
  forked.facts.forgotten = [7];
  await forked.commit();
  say('forgotten');
}

/** What there is of an artifact, all of it read; null where there is none. */
async function look(store: ReturnType<typeof folderStore>): Promise<string | null> {
  const found = await Artifact.find(store);
  if (!found) return null;
  const files = found
    .names()
    .map(async (name) => `${name}=${new TextDecoder().decode(await found.bytes(name))}`);
  return `${found.key} ${(await Promise.all(files)).join(', ')} ${JSON.stringify(found.facts)}`;
}
const whole = 'p shards/0=shard 0, shards/1=shard 1, shards/2=shard 2 {}';
const forked = whole.replace(/^p/, 'f');
const done = 'f shards/0=shard 0, shards/1=shard 1 anew {"forgotten":[7]}';

/** Names and contents. */
const contents = (tree: Tree) => [...tree].map(([path, data]) => [path, data && String(data)]);

it('a crash leaves the old one or the new one, and what was said to be done is done', async () => {
  const folder = fresh();
  const recording = await record<string>(folder, (say) => work(folder, say));
  const end = contents(readTree(folder));
  expect(end.filter(([path]) => /objects\/./.test(String(path)))).toHaveLength(5);
  const states = crashes(recording);
  expect(states.length).toBeGreaterThan(50);
  const goOn = async (crash: (typeof states)[number]) => {
    const place = fresh();
    writeTree(place, crash.tree);
    const [first, second] = [await look(prepared(place)), await look(forgotten(place))];
    expect([null, whole], crash.about).toContain(first);
    expect([null, forked, done], crash.about).toContain(second);
    if (crash.said > 0) expect(first, crash.about).toBe(whole);
    if (crash.said > 1) expect(second, crash.about).not.toBeNull();
    if (crash.said > 2) expect(second, crash.about).toBe(done);
    await work(place, () => {});
    expect(contents(readTree(place)), crash.about).toEqual(end);
    rmSync(place, { recursive: true });
  };
  await withDisk(unsynced, () => several(states, goOn));
});

describe('a disk that fails', () => {
  it.each<[string, string, (n: number) => (call: number) => boolean]>([
    ['once, with EIO', 'EIO', (n) => (call) => call === n],
    ['from then on, with ENOSPC', 'ENOSPC', (n) => (call) => call >= n],
  ])('%s: at every call', async (_, code, fails) => {
    const folder = fresh();
    const sound = faulty(code, () => false);
    await withDisk(sound.broken, () => work(folder, () => {}));
    const end = contents(readTree(folder));
    for (let n = 1; n <= sound.count(); n++) {
      const place = fresh();
      const { broken, hit } = faulty(code, fails(n));
      const error = await withDisk(broken, () => work(place, () => {})).then(
        () => null,
        (cause) => cause,
      );
      const about = `call ${n}, ${hit[0]}: ${error}`;
      if (error) {
        expect(error, about).toBeInstanceOf(LetheError);
        expect([error.kind, error.message.includes(code)], about).toEqual(['io', true]);
      } else expect(hit, about).toEqual([]);
      expect([null, whole], about).toContain(await look(prepared(place)));
      expect([null, forked, done], about).toContain(await look(forgotten(place)));
      await withDisk(unsynced, () => work(place, () => {}));
      expect(contents(readTree(place)), about).toEqual(end);
      rmSync(place, { recursive: true });
    }
  });
});
