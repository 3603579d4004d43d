// The lock: held by one, whatever the folder is called, whichever thread asks and whatever the clock says; taken over,
// by one, from a process that is gone.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { disk } from '../../../unlearn/files.ts';
import { lockFile, lockFolder } from '../../../unlearn/run/lock.ts';
import { compiled } from '../../compiled.ts';
import { withDisk } from './crash.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lethe-lock-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const path = () => join(folder, 'lethe.lock');
const put = (text: string) => writeFileSync(path(), text);
const gone = { pid: 2 ** 22 + 12345, host: hostname(), since: Date.now(), birth: null };

describe('the lock', () => {
  it('is held by one, given back, and held again', async () => {
    const release = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
    await release();
    await release();
    await (await lockFolder(folder))();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['of a process that is gone', gone],
    ['of an earlier boot', { pid: process.ppid, host: hostname(), since: 1000, birth: null }],
    ['of an earlier boot, by name', { ...gone, pid: process.ppid, boot: 'another' }],
    ['of this very pid from before', { pid: process.pid, host: hostname(), since: Date.now(), birth: 'x' }],
    ['of this pid from before, as far as can be told', { ...gone, pid: process.pid, since: 1000 }],
    ['that is not one', 'garbage'],
  ])('%s is taken over with a word', async (_, holder) => {
    put(JSON.stringify(holder));
    const notes: string[] = [];
    await (await lockFolder(folder, (note) => notes.push(note)))();
    expect(readdirSync(folder)).toEqual([]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('took over the lock');
  });

  it('of another machine stands', async () => {
    put(JSON.stringify({ ...gone, pid: 1, host: 'elsewhere' }));
    await expect(lockFolder(folder)).rejects.toThrow('in use by process 1 on elsewhere');
  });

  it('cannot be taken where there is no folder', async () => {
    mkdirSync(join(folder, 'x'));
    await expect(lockFolder(join(folder, 'x', 'y'))).rejects.toThrow(/could not write in .*ENOENT/);
  });

  it.skipIf(process.platform !== 'linux')('stands when the clock is set, forward or back', async () => {
    const release = await lockFolder(folder);
    const held = JSON.parse(readFileSync(path(), 'utf8'));
    await release();
    // As the test runner's own process holds it: another one that lives.
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8');
    const birth = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    put(JSON.stringify({ ...held, pid: process.ppid, birth }));
    for (const days of [400, -400]) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 86_400_000 });
      await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.ppid}`);
      vi.useRealTimers();
    }
  });

  it('is one for all names of a folder', async () => {
    const link = `${folder}-link`;
    symlinkSync(folder, link);
    try {
      const release = await lockFolder(folder);
      for (const name of [relative(process.cwd(), folder), link, `${folder}/.`])
        await expect(lockFolder(name)).rejects.toThrow('in use by process');
      await release();
      const file = await lockFile(join(folder, 'w.safetensors'));
      await expect(lockFile(join(link, 'w.safetensors'))).rejects.toThrow('w.safetensors: in use by process');
      await (await lockFile(join(folder, 'v.safetensors')))();
      await file();
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      rmSync(link);
    }
  });

  it('is one for all threads of a process', async () => {
    const [module] = compiled('lock', 'unlearn/run/lock.ts');
    const source = `const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then((m) => m.lockFolder(workerData.folder)).then(
        () => parentPort.postMessage('locked'), (e) => parentPort.postMessage(e.message));`;
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        const worker = new Worker(source, { eval: true, workerData: { module, folder } });
        worker.on('message', resolve).on('error', reject);
      });
    expect(await ask()).toBe('locked');
    expect(await ask()).toContain(`in use by process ${process.pid}`);
    await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('that is stale is taken over by one of many', async () => {
    for (let round = 0; round < 10; round++) {
      put(JSON.stringify(gone));
      const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
      const won = asked.flatMap((a) => (a.status === 'fulfilled' ? [a.value] : []));
      expect(won).toHaveLength(1);
      for (const a of asked)
        if (a.status === 'rejected') expect(a.reason.message).toMatch(/in use by process|is starting here/);
      await won[0]();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('needs no hard links', async () => {
    const link: typeof disk.link = async () => {
      throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
    };
    await withDisk({ link }, async () => {
      put(JSON.stringify(gone));
      const release = await lockFolder(folder);
      await expect(lockFolder(folder)).rejects.toThrow('in use by process');
      await release();
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['a folder', () => mkdirSync(path())],
    ['a link to nowhere', () => symlinkSync('nowhere', path())],
  ])('with %s in its place is a clear error', async (_, make) => {
    make();
    await expect(lockFolder(folder)).rejects.toThrow(/lethe\.lock: not a regular file/);
    expect(readdirSync(folder)).toEqual(['lethe.lock']);
  });
});
