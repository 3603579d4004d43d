// Node's own modules, each taken when it is used. An import of one would stop a bundler that makes a page for a browser,
// though no page ever comes to the code that uses it.

import { check } from './engine/error.ts';

/** Whether this runs in Node, or in what is like it. */
export const inNode = typeof process === 'object' && typeof process.versions?.node === 'string';

/**
 * The module of Node's with that name.
 * @throws LetheError 'device' where Node is too old to give it.
 */
export const builtin: typeof process.getBuiltinModule = (name: string) => {
  check(process.getBuiltinModule !== undefined, 'device', () => {
    return `Node ${process.version} is too old for Lethe; expected 20.19, 22.12 or later`;
  });
  return process.getBuiltinModule(name as 'node:fs');
};
