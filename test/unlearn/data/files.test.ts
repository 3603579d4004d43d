import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  isThere,
  makeFolder,
  readFileBounded,
  sha256File,
  temporaryFor,
  temporaryName,
  writeFileAtomic,
} from '../../../unlearn/files.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { printable } from '../../../unlearn/text.ts';
import { refuses, scratch } from './helpers.ts';

describe('writeFileAtomic', () => {
  it('writes text, bytes and parts, and leaves nothing else behind', async () => {
    const folder = await scratch({ a: 'old' });
    await writeFileAtomic(join(folder, 'a'), 'new');
    await writeFileAtomic(join(folder, 'b'), [Uint8Array.of(1, 2), Uint8Array.of(3)]);
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('new');
    expect([...(await readFile(join(folder, 'b')))]).toEqual([1, 2, 3]);
    expect((await readdir(folder)).sort()).toEqual(['a', 'b']);
  });

  it('is loud, keeps what was there and removes its temporary file when it cannot', async () => {
    const folder = await scratch();
    await mkdir(join(folder, 'taken'));
    await refuses(() => writeFileAtomic(join(folder, 'taken'), 'x'), 'io', /^could not write .*taken: /);
    await refuses(() => writeFileAtomic(join(folder, 'no', 'such'), 'x'), 'io', /ENOENT/);
    expect(await readdir(folder)).toEqual(['taken']);
    if (process.getuid?.() !== 0) {
      await chmod(folder, 0o500);
      await refuses(() => writeFileAtomic(join(folder, 'x'), 'x'), 'io', /EACCES/);
      await chmod(folder, 0o700);
    }
  });

  it('lets concurrent writers each write whole files', async () => {
    const folder = await scratch();
    const path = join(folder, 'x');
    await Promise.all([...'abcdefgh'].map((c) => writeFileAtomic(path, c.repeat(100_000))));
    const text = await readFile(path, 'utf8');
    expect(text).toBe(text[0].repeat(100_000));
    expect(await readdir(folder)).toEqual(['x']);
  });
});

describe('readFileBounded', () => {
  it('reads what fits and refuses the rest before reading it', async () => {
    const folder = await scratch({ a: 'hello', empty: '' });
    expect((await readFileBounded(join(folder, 'a'), 5)).toString()).toBe('hello');
    expect((await readFileBounded(join(folder, 'empty'), 0)).length).toBe(0);
    await refuses(() => readFileBounded(join(folder, 'a'), 4), 'data', /a: 5 bytes, expected at most 4$/);
    await refuses(() => readFileBounded(folder, 4), 'io', /not a regular file$/);
    await refuses(() => readFileBounded(join(folder, 'b'), 4), 'io', /^could not read .*ENOENT/);
    await symlink('/dev/zero', join(folder, 'zero'));
    await refuses(() => readFileBounded(join(folder, 'zero'), 4), 'io', /not a regular file$/);
  });
});

it.skipIf(process.platform === 'win32')('a pipe in place of a file is refused, not waited for', async () => {
  const pipe = join(await scratch(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const read of [() => isThere(pipe), () => sha256File(pipe), () => readFileBounded(pipe, 4)])
    await refuses(read, 'io', /pipe: not a regular file$/);
});

it('folders are made with those above them, by several at once too', async () => {
  const folder = await scratch({ file: '' });
  const deep = join(folder, 'a', 'b', 'c');
  await Promise.all([1, 2, 3].map(() => makeFolder(deep)));
  expect(await readdir(join(folder, 'a', 'b'))).toEqual(['c']);
  await makeFolder(deep);
  await refuses(() => makeFolder(join(folder, 'file')), 'io', /^could not make .*file: EEXIST/);
  await refuses(() => makeFolder(join(folder, 'file', 'x')), 'io', /^could not make .*x: ENOTDIR/);
});

it('only names that were made here are taken for temporary files', () => {
  expect(temporaryFor(basename(temporaryName('/x/results.json')))).toBe('results.json');
  for (const name of [
    '.draft.tmp',
    '.x.1.0123456789a.tmp',
    'x.1.0123456789ab.tmp',
    '.x.0123456789ab.tmp',
    '.x.1.0123456789AB.tmp',
  ])
    expect(temporaryFor(name)).toBeNull();
});

it('sha256 of parts is that of the whole, of a file too', async () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(sha256('a', Buffer.from('bc'))).toBe(abc);
  expect(await sha256File(join(await scratch({ x: 'abc' }), 'x'))).toBe(abc);
});

it('printable keeps a name on one line', () => {
  expect(printable('a\nb\u001b[31m\u2028"c"')).toBe('a\\nb\\u001b[31m\\u2028"c"');
  expect(printable('x'.repeat(500)).length).toBe(203);
});
