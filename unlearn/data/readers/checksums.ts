// Are these the files they should be? sha256 of each file read, against SHA256SUMS beside the data (or one folder up,
// or two) and against the sums the authors' files are known by. It reports; refusing is not its business.

import { createHash } from 'node:crypto';
import { basename, dirname, join, sep } from 'node:path';
import { sha256File } from '../../files.ts';
import { refuse } from '../refuse.ts';
import type { Remote } from '../sets/record.ts';
import { piecesOf } from './decoded.ts';
import { findVariant, readLines } from './locate.ts';

/** A file that was read. */
export interface FileFact {
  /** Absolute path. */
  readonly path: string;
  /** Of its bytes, in hex. */
  readonly sha256: string;
  /**
   * 'published': as the authors published it. 'listed': as SHA256SUMS beside the data says. 'differs': neither,
   * though a sum is known. 'unknown': no sum is known.
   */
  readonly status: 'published' | 'listed' | 'differs' | 'unknown';
}

/** Sums by absolute path of a SHA256SUMS file: `HEX  PATH` a line, paths relative to its folder. */
async function readSums(path: string): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  for (const [i, line] of (await readLines(path)).entries()) {
    if (line === '') continue;
    const match = /^([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (match === null)
      return refuse(path, `line ${i + 1}`, 'expected a sha256 in hex, two spaces and a path');
    sums.set(join(dirname(path), match[2].split('/').join(sep)), match[1]);
  }
  return sums;
}

async function sumsFor(root: string): Promise<Map<string, string>> {
  for (const folder of [root, dirname(root), dirname(dirname(root))]) {
    const path = await findVariant(folder, 'SHA256SUMS');
    if (path === join(folder, 'SHA256SUMS')) return readSums(path);
  }
  return new Map();
}

/** sha256 of what a compressed file decompresses to. */
async function sha256Inside(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of piecesOf(path)) hash.update(piece);
  return hash.digest('hex');
}

function knownSums(remote: Remote | undefined): Map<string, string> {
  return new Map([
    ...(remote?.files ?? []).map((file) => [file.name, file.sha256] as const),
    ...Object.entries(remote?.published ?? {}),
  ]);
}

/** What is known of each file. A compressed file counts as published if what it decompresses to is. */
export async function checkFiles(
  files: readonly string[],
  root: string,
  remote?: Remote,
): Promise<FileFact[]> {
  const listed = await sumsFor(root);
  const known = knownSums(remote);
  const facts: FileFact[] = [];
  for (const path of files) {
    const sum = await sha256File(path);
    const plain = basename(path).replace(/\.(gz|br)$/, '');
    let published = known.get(basename(path)) === sum;
    const inside = plain === basename(path) ? undefined : known.get(plain);
    if (!published && inside !== undefined) published = (await sha256Inside(path)) === inside;
    const hasKnown = known.has(basename(path)) || inside !== undefined;
    const expected = listed.get(path);
    const status = published
      ? 'published'
      : expected === sum
        ? 'listed'
        : expected !== undefined || hasKnown
          ? 'differs'
          : 'unknown';
    facts.push({ path, sha256: sum, status });
  }
  return facts;
}
