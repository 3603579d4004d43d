// What is to be forgotten as a file: lists of names or ids, and manifests.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadForget, saveManifest } from '../../../unlearn/data/readers/manifest.ts';
import type { ForgetManifest } from '../../../unlearn/types.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-forget-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'forget.txt');
const read = (text: string | Uint8Array) => {
  writeFileSync(path, text);
  return loadForget(path);
};

it.each([
  ['3\n1\n2', { ids: [3, 1, 2] }],
  ['\ufeff 12 \r\n\r\n7\r\n', { ids: [12, 7] }],
  ['ann/1.png\nbob/ü x.png\n', { files: ['ann/1.png', 'bob/ü x.png'] }],
  // A name may be a number among others.
  ['1\nb.png', { files: ['1', 'b.png'] }],
  // Beyond whole numbers that are exact, a name too.
  ['99999999999999999999', { files: ['99999999999999999999'] }],
])('%j is a list', async (text, forget) => {
  expect(await read(text)).toEqual({ forget, manifest: null });
});

it('a manifest names ids, and comes with its hashes', async () => {
  const manifest: ForgetManifest = {
    version: 1,
    dataset: 'glyphs',
    datasetHash: 'a'.repeat(64),
    spec: { class: 1 },
    kind: 'class',
    classes: [1],
    classIndex: 1,
    ids: [4, 9],
    hashes: ['b'.repeat(64), 'c'.repeat(64)],
    count: 2,
  };
  await saveManifest(path, manifest);
  expect(await loadForget(path)).toEqual({ forget: { ids: [4, 9] }, manifest });
});

it.each([
  ['', 'an empty list; expected a file name or an id a line'],
  [' \n\t\r\n', 'an empty list'],
  [Uint8Array.of(0x61, 0xff, 0xfe, 0x0a), 'expected a list of file names or ids in UTF-8, one a line'],
  ['{"ids": [1]', 'expected a forget manifest in JSON'],
  ['{"version": 1}', 'forget manifest: expected "dataset" to be a name'],
])('%j is refused', async (text, message) => {
  await expect(read(text)).rejects.toThrow(message);
});
