// Artifacts in memory and in folders: what was put comes back, equal contents are kept once, damage is told, and nothing
// is ever held as a whole.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import * as lt from '../../../index.ts';
import {
  Artifact,
  type ArtifactStore,
  getTree,
  memoryStore,
  pieces,
  putTree,
} from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import type { disk } from '../../../unlearn/files.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { withDisk } from '../run/crash.ts';

const base = mkdtempSync(join(tmpdir(), 'lethe-artifact-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const fresh = () => join(mkdtempSync(join(base, 'a')), 'made', 'artifact');
const stores: [string, () => ArtifactStore][] = [
  ['memory', memoryStore],
  ['a folder', () => folderStore(fresh())],
];
const made = { method: 'sisa', key: 'k' };
const text = async (artifact: Artifact, name: string) => new TextDecoder().decode(await artifact.bytes(name));
const failure = (work: Promise<unknown>): Promise<LetheError> =>
  work.then(
    () => Promise.reject(new Error('it went well')),
    (error) => error,
  );

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

describe.each(stores)('in %s', (_, store) => {
  it('what was put comes back, in this artifact and in one opened after commit', async () => {
    const place = store();
    const artifact = Artifact.create(place, made);
    await artifact.put('weights', 'abc');
    await artifact.put('shards/3/slice-2', Uint8Array.of(1, 2, 3));
    await artifact.put('empty', []);
    await artifact.put('parts', [Uint8Array.of(1), Uint8Array.of(2, 3)]);
    artifact.facts = { shards: 3, list: [1, null, 'x'] };
    artifact.notes.seconds = 1.5;
    expect(await Artifact.find(place)).toBeNull();
    expect((await failure(Artifact.open(place))).kind).toBe('data');
    await artifact.commit();
    for (const one of [artifact, await Artifact.open(place)]) {
      expect(one.names()).toEqual(['empty', 'parts', 'shards/3/slice-2', 'weights']);
      expect(one.names('shards/')).toEqual(['shards/3/slice-2']);
      expect([one.method, one.key, one.facts, one.notes]).toEqual([
        'sisa',
        'k',
        { shards: 3, list: [1, null, 'x'] },
        { seconds: 1.5 },
      ]);
      expect(await text(one, 'weights')).toBe('abc');
      expect([...(await one.bytes('parts'))]).toEqual([1, 2, 3]);
      expect((await one.bytes('empty')).length).toBe(0);
      expect(one.ref('parts')).toEqual({ sha256: sha256(Uint8Array.of(1, 2, 3)), bytes: 3 });
      expect([one.has('weights'), one.has('mask')]).toEqual([true, false]);
    }
  });

  it('says what it does not have, and what cannot be a name or a fact', async () => {
    const artifact = Artifact.create(store(), made);
    for (const missing of [() => artifact.ref('mask'), () => artifact.remove('mask')])
      expect(missing).toThrow(/^artifact sisa in .*: mask: not in it$/);
    expect((await failure(artifact.get('mask'))).message).toMatch(/mask: not in it$/);
    for (const name of [
      '',
      '..',
      '../x',
      '/x',
      'a//b',
      'a/',
      'a/../b',
      'a\\b',
      '.x',
      '__proto__',
      'é',
      'a\n',
    ])
      expect((await failure(artifact.put(name, 'x'))).message, name).toMatch(/cannot name a file; expected/);
    for (const facts of [{ a: Number.NaN }, { a: [undefined] }, { a: new Date(0) }, { a: () => 0 }]) {
      artifact.facts = facts;
      expect(() => artifact.digest()).toThrow(/^artifact: facts: a.* is .*, which JSON cannot say$/);
      expect((await failure(artifact.commit())).kind).toBe('value');
    }
  });

  it('has a digest of its state: names, contents and facts, not times or the way there', async () => {
    const one = Artifact.create(store(), made);
    await one.put('a', 'x');
    await one.put('b', 'y');
    one.facts = { p: 1, q: 2 };
    const other = Artifact.create(store(), { method: 'sisa', key: 'another' });
    await other.put('b', 'old');
    await other.put('gone', 'z');
    other.facts = { q: 2, p: 1 };
    other.notes = { seconds: 3 };
    await other.put('b', 'y');
    await other.put('a', 'x');
    other.remove('gone');
    expect(other.digest()).toBe(one.digest());
    expect(one.digest()).toMatch(/^[0-9a-f]{64}$/);
    const seen = new Set([one.digest()]);
    other.facts.p = 2;
    seen.add(other.digest());
    await other.put('b', 'x');
    seen.add(other.digest());
    await other.put('c', 'y');
    seen.add(other.digest());
    other.remove('a');
    seen.add(other.digest());
    expect(seen.size).toBe(5);
  });

  it('forks: both go their own way', async () => {
    const one = Artifact.create(store(), made);
    await one.put('a', 'x');
    await one.put('b', 'y');
    one.facts.deep = { list: [1] };
    await one.commit();
    const to = store();
    const other = await one.fork(to, { key: 'forked' });
    expect(await Artifact.find(to)).toBeNull();
    (other.facts.deep as { list: number[] }).list.push(2);
    await other.put('b', 'z');
    await other.commit();
    one.remove('a');
    await one.commit();
    expect(one.facts).toEqual({ deep: { list: [1] } });
    const again = await Artifact.open(to);
    expect([again.key, await text(again, 'a'), await text(again, 'b')]).toEqual(['forked', 'x', 'z']);
    expect([one.key, await text(one, 'b')]).toEqual(['k', 'y']);
  });

  it('refuses to commit what is still being put', async () => {
    const artifact = Artifact.create(store(), made);
    let go = () => {};
    const waiting = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow = artifact.put(
      'a',
      (async function* () {
        await waiting;
        yield Uint8Array.of(1);
      })(),
    );
    for (const work of [artifact.commit(), artifact.sweep()])
      expect((await failure(work)).message).toMatch(/: wait for what is still being written$/);
    go();
    await slow;
    const committing = artifact.commit();
    expect((await failure(artifact.put('b', 'x'))).message).toMatch(/wait for commit before you put more$/);
    await committing;
  });

  it('passes on what the contents throw, and keeps what was there', async () => {
    const artifact = Artifact.create(store(), made);
    await artifact.put('a', 'x');
    const broken = async function* () {
      yield Uint8Array.of(1);
      throw new RangeError('no more');
    };
    await expect(artifact.put('a', broken())).rejects.toThrow(new RangeError('no more'));
    expect(await text(artifact, 'a')).toBe('x');
    await artifact.commit();
  });

  it('keeps trees of tensors, bit for bit', async () => {
    const tree = {
      params: { 'a.b': [lt.tensor([1.5, Number.NaN, -0]), lt.tensor([[7]], { dtype: 'int32' })] },
      key: lt.random.key(9),
      flags: lt.tensor([true, false]),
      none: null,
      nothing: [],
    };
    const artifact = Artifact.create(store(), made);
    await putTree(artifact, 'weights', tree);
    const back = await getTree<typeof tree>(artifact, 'weights');
    expect(lt.tree.flatten(back).def).toEqual(lt.tree.flatten(tree).def);
    for (const [i, leaf] of lt.tree.flatten<lt.Tensor>(back).leaves.entries()) {
      const like = lt.tree.flatten<lt.Tensor>(tree).leaves[i];
      expect([leaf.dtype, leaf.shape, await leaf.data()]).toEqual([
        like.dtype,
        like.shape,
        await like.data(),
      ]);
    }
    await putTree(artifact, 'one', lt.tensor(3));
    expect(await (await getTree<lt.Tensor>(artifact, 'one')).item()).toBe(3);
    expect((await failure(putTree(artifact, 'bad', { a: 1 }))).message).toContain('bad: a is no tensor');
    const twice = { 'a.b': lt.tensor(1), a: { b: lt.tensor(2) } };
    expect((await failure(putTree(artifact, 'bad', twice))).message).toContain('two tensors have one path');
    await artifact.put('other', await lt.io.saveSafetensors({ x: lt.tensor(1) }));
    expect((await failure(getTree(artifact, 'other'))).message).toContain('holds no tree of tensors');
    await artifact.put('hole', await lt.io.saveSafetensors({ x: lt.tensor(1) }, { tree: '{"x":0,"y":0}' }));
    const leaks = await lt.findLeaks(async () => {
      expect((await failure(getTree(artifact, 'hole'))).message).toContain('y is missing in it');
    });
    expect(leaks).toEqual([]);
  });

  it('any sequence of changes leaves what a map would hold', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({
              do: fc.constant('put' as const),
              name: fc.constantFrom('a', 'b', 'c/d', '7'),
              data: fc.uint8Array({ maxLength: 3 }),
            }),
            fc.record({ do: fc.constant('remove' as const), name: fc.constantFrom('a', 'b', 'c/d', '7') }),
            fc.record({
              do: fc.constantFrom('commit' as const, 'reopen' as const, 'fork' as const, 'sweep' as const),
            }),
          ),
          { maxLength: 12 },
        ),
        async (steps) => {
          let place = store();
          let artifact = Artifact.create(place, made);
          let held = new Map<string, string>();
          let safe: typeof held | null = null;
          for (const step of steps) {
            if (step.do === 'put') {
              await artifact.put(step.name, step.data);
              held.set(step.name, String(step.data));
            } else if (step.do === 'remove') {
              if (held.delete(step.name)) artifact.remove(step.name);
            } else if (step.do === 'commit') {
              await artifact.commit();
              safe = new Map(held);
            } else if (step.do === 'reopen') {
              artifact = (await Artifact.find(place)) ?? Artifact.create(place, made);
              held = new Map(safe);
            } else if (step.do === 'sweep') await artifact.sweep();
            else {
              place = store();
              artifact = await artifact.fork(place);
              safe = null;
            }
            expect(artifact.names()).toEqual([...held.keys()].sort());
            for (const [name, data] of held) expect(String(await artifact.bytes(name))).toBe(data);
          }
        },
      ),
      { numRuns: 40 },
    ));
});

describe('a folder', () => {
  const objects = (folder: string) => readdirSync(join(folder, 'objects')).sort();

  it('keeps equal contents once, and after commit only what is named', async () => {
    const folder = fresh();
    const artifact = Artifact.create(folderStore(folder), made);
    await artifact.put('a', 'x');
    await artifact.put('b', 'x');
    await artifact.put('c', 'y');
    expect(objects(folder)).toEqual([sha256('x'), sha256('y')].sort());
    await artifact.commit();
    writeFileSync(join(folder, 'objects', '.object.1.0123456789ab.tmp'), 'half');
    writeFileSync(join(folder, 'objects', 'mine.txt'), 'kept');
    artifact.remove('c');
    // Not before: the committed artifact has it still.
    await artifact.sweep();
    expect(objects(folder)).toEqual(['mine.txt', sha256('x'), sha256('y')].sort());
    await artifact.commit();
    expect(objects(folder)).toEqual(['mine.txt', sha256('x')].sort());
    expect(readdirSync(folder).sort()).toEqual(['manifest.json', 'objects']);
  });

  it('shares contents with a fork: one file on the disk, or a copy where there are no links', async () => {
    const folder = fresh();
    const artifact = Artifact.create(folderStore(folder), made);
    await artifact.put('a', 'x');
    await artifact.commit();
    const inode = (where: string) => statSync(join(where, 'objects', sha256('x'))).ino;
    const shared = fresh();
    await (await artifact.fork(folderStore(shared))).commit();
    expect(inode(shared)).toBe(inode(folder));
    // Again, over what is there already.
    await (await artifact.fork(folderStore(shared))).commit();
    expect(objects(shared)).toEqual([sha256('x')]);
    const link = async () => {
      throw Object.assign(new Error('EXDEV: no'), { code: 'EXDEV' });
    };
    const copied = fresh();
    await withDisk({ link }, async () => (await artifact.fork(folderStore(copied))).commit());
    expect(inode(copied)).not.toBe(inode(folder));
    expect(await text(await Artifact.open(folderStore(copied)), 'a')).toBe('x');
    const memory = memoryStore();
    await (await artifact.fork(memory)).commit();
    expect(await text(await Artifact.open(memory), 'a')).toBe('x');
  });

  it('damaged contents are one error with artifact, name and path; putting them again mends them', async () => {
    const folder = fresh();
    const artifact = Artifact.create(folderStore(folder), made);
    await artifact.put('shards/1', 'some bytes');
    await artifact.commit();
    const path = join(folder, 'objects', sha256('some bytes'));
    const whole = readFileSync(path);
    const told = async () => {
      const error = await failure((await Artifact.open(folderStore(folder))).get('shards/1'));
      expect(error).toBeInstanceOf(LetheError);
      expect([error.kind, error.message.startsWith(`artifact sisa in ${folder}: shards/1: `)]).toEqual([
        'data',
        true,
      ]);
      expect(error.message).toContain(path);
      return error.message;
    };
    for (let at = 0; at < whole.length; at++) {
      const bad = Buffer.from(whole);
      bad[at] ^= 1 << (at % 8);
      writeFileSync(path, bad);
      expect(await told()).toContain('its contents are damaged');
    }
    writeFileSync(path, whole.subarray(1));
    expect(await told()).toContain('9 bytes, expected 10');
    rmSync(path);
    expect(await told()).toContain('its contents are gone');
    await artifact.put('shards/1', 'some bytes');
    expect(await text(await Artifact.open(folderStore(folder)), 'shards/1')).toBe('some bytes');
    rmSync(path);
    expect((await failure(artifact.fork(memoryStore()))).message).toContain(`${path}: gone`);
  });

  it('a damaged manifest is noticed, whichever byte it is', async () => {
    const folder = fresh();
    const artifact = Artifact.create(folderStore(folder), made);
    await artifact.put('a', 'x');
    artifact.facts.n = 1;
    await artifact.commit();
    const path = join(folder, 'manifest.json');
    const whole = readFileSync(path, 'utf8');
    for (let at = 0; at < whole.length; at++) {
      const bad = Buffer.from(whole);
      bad[at] ^= 1;
      writeFileSync(path, bad);
      const found = await Artifact.open(folderStore(folder)).catch((error) => error);
      expect([found.kind, found.message.includes(folder)]).toEqual(['data', true]);
    }
    for (const text of ['null', '[]', '{}', '{"version":2}', whole.replace('"n": 1', '"n": 2')]) {
      writeFileSync(path, text);
      expect((await failure(Artifact.open(folderStore(folder)))).message).toMatch(
        /manifest of the artifact: expected/,
      );
    }
  });

  it('a large file goes through a piece at a time', async () => {
    const parts = 8;
    const one = new Uint8Array(1 << 20).fill(7);
    const hold = { now: 0, most: 0 };
    const content = async function* () {
      for (let i = 0; i < parts; i++) {
        hold.now++;
        hold.most = Math.max(hold.most, hold.now);
        yield one;
      }
    };
    const counting = async (...args: Parameters<typeof disk.open>): Promise<FileHandle> => {
      const handle = await open(...args);
      const { writeFile } = handle;
      handle.writeFile = async (...a) => {
        await writeFile.apply(handle, a);
        hold.now--;
      };
      return handle;
    };
    const folder = fresh();
    const artifact = Artifact.create(folderStore(folder), made);
    const ref = await withDisk({ open: counting as typeof disk.open }, () => artifact.put('big', content()));
    expect([hold.most, hold.now, ref.bytes]).toEqual([1, 0, parts << 20]);
    const sizes: number[] = [];
    for await (const piece of pieces(await artifact.get('big'))) sizes.push(piece.length);
    expect([sizes.length, Math.max(...sizes)]).toEqual([parts, 1 << 20]);
  });
});

it('pieces are asked for one after the other, a megabyte at most', async () => {
  const asked: [number, number][] = [];
  const file = {
    bytes: 2.5 * 2 ** 20,
    read: async (offset: number, length: number) => {
      asked.push([offset, length]);
      return new Uint8Array(length);
    },
  };
  for await (const _ of pieces(file)) expect(asked.length).toBeLessThan(4);
  expect(asked).toEqual([
    [0, 2 ** 20],
    [2 ** 20, 2 ** 20],
    [2 ** 21, 2 ** 19],
  ]);
});
