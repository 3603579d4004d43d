// The JSON of a safetensors header, read strictly: objects, arrays, strings and whole numbers, nothing else. Not
// JSON.parse, which keeps the last of two equal keys without a word and lets `__proto__` near prototypes: here a repeated
// key is an error and objects are Maps.

import { check, LetheError } from '../error.ts';

export type Json = string | number | Json[] | Map<string, Json>;

/** A header nests three deep; deeper is no header. */
const MAX_DEPTH = 4;
/** Bounds on what a header may hold: each tensor costs far more in memory than in the file. */
export const MAX_TENSORS = 100_000;
export const MAX_RANK = 16;

/** @throws 'data' with the position of the first character that does not belong. */
export function parseHeader(text: string): Json {
  let at = 0;
  const fail = (expected: string): never => {
    const found = at < text.length ? JSON.stringify(text.slice(at, at + 12)) : 'the end';
    throw new LetheError(
      'data',
      `safetensors: header, character ${at}: expected ${expected}, found ${found}`,
    );
  };
  const space = (): void => {
    while (at < text.length && ' \t\n\r'.includes(text[at])) at++;
  };
  const take = (c: string): boolean => {
    space();
    if (text[at] !== c) return false;
    at++;
    return true;
  };
  const string = (): string => {
    space();
    const start = at;
    if (text[at] !== '"') fail('a string');
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length) fail('the end of a string');
      if (text[at] === '\\') at++;
    }
    at++;
    try {
      return JSON.parse(text.slice(start, at));
    } catch {
      at = start;
      return fail('a valid string');
    }
  };
  const number = (): number => {
    const start = at;
    while (at < text.length && text[at] >= '0' && text[at] <= '9') at++;
    const digits = text.slice(start, at);
    const value = Number(digits);
    if (!Number.isSafeInteger(value) || (digits.length > 1 && digits[0] === '0')) {
      at = start;
      fail('a whole number below 2^53');
    }
    return value;
  };
  const value = (depth: number): Json => {
    check(depth <= MAX_DEPTH, 'data', () => 'safetensors: the header nests too deeply');
    space();
    const c = text[at];
    if (c === '"') return string();
    if (c >= '0' && c <= '9') return number();
    if (take('[')) {
      const items: Json[] = [];
      if (take(']')) return items;
      do {
        if (items.length === MAX_RANK) fail(`a list of at most ${MAX_RANK} numbers`);
        items.push(value(depth + 1));
      } while (take(','));
      return take(']') ? items : fail("',' or ']'");
    }
    if (take('{')) {
      const entries = new Map<string, Json>();
      if (take('}')) return entries;
      do {
        if (entries.size > MAX_TENSORS) fail(`at most ${MAX_TENSORS} tensors`);
        const key = string();
        check(
          !entries.has(key),
          'data',
          () => `safetensors: the header has the key ${JSON.stringify(key)} twice`,
        );
        if (!take(':')) fail("':'");
        entries.set(key, value(depth + 1));
      } while (take(','));
      return take('}') ? entries : fail("',' or '}'");
    }
    return fail('an object, an array, a string or a whole number');
  };
  const result = value(1);
  space();
  if (at < text.length) fail('the end');
  return result;
}
