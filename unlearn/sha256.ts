// sha256 of bytes in memory or in pieces, at once. Node's own is the fastest; in a browser, whose own is only for those who can
// wait, a library computes the same digest.

import { sha256 as library } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { builtin, inNode } from '../builtin.ts';

/** A digest in the making. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** The digest in hex; nothing may be added afterwards. */
  hex(): string;
}

export function startSha256(): Sha256 {
  const hash = inNode ? builtin('node:crypto').createHash('sha256') : library.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => bytesToHex(hash.digest()) };
}

const encoder = new TextEncoder();

/** sha256, in hex, over the parts one after the other; texts as UTF-8. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = startSha256();
  for (const part of parts) hash.update(typeof part === 'string' ? encoder.encode(part) : part);
  return hash.hex();
}

/** Passes parts on as they come; once they are through, `digest` says what they were. */
export function hashed(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  const hash = startSha256();
  let bytes = 0;
  const parts = async function* () {
    for await (const part of source) {
      hash.update(part);
      bytes += part.length;
      yield part;
    }
  };
  return { parts: parts(), digest: () => ({ sha256: hash.hex(), bytes }) };
}
