// sha256 in a browser is that of Node.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { datasets } from '../../unlearn/data/datasets.ts';

vi.mock('../../builtin.ts', () => ({ inNode: false }));
const { sha256 } = await import('../../unlearn/sha256.ts');

const ofNode = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

it('of any texts and bytes (property)', () => {
  const part = fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 }));
  fc.assert(fc.property(fc.array(part), (parts) => sha256(...parts) === ofNode(...parts)));
});

it('of the example of the standard', () => {
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

it('of a data set', async () => {
  const { hash } = await datasets.load('glyphs', { trainSize: 20, testSize: 10 });
  expect(hash).toBe('8016ab07a509aec19cbad66a861264ac805069940b18fb94f64674b6a076aca9');
});
