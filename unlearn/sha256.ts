// sha256 of what comes in pieces, in Node and in browsers, whose own wants all of it at once.

import { sha256 as library } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** A digest in the making. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** The digest in hex; nothing may be added afterwards. */
  hex(): string;
}

export function startSha256(): Sha256 {
  const hash = library.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => bytesToHex(hash.digest()) };
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
