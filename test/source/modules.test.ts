// The shape of the source: which folder may import which, files that must not need each other to load, and names that are
// exported for nobody. Each check is also given a small made-up tree in which it has something to find.

import { beforeAll, describe, expect, test } from 'vitest';
import { circlesOf, type Modules, modulesOf, neededBy, sources, unusedExports } from './modules.ts';

/** What each folder may import beside itself. The engine stands on nothing, devices on the engine, unlearning on both. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  engine: [],
  kernels: ['engine', 'builtin.ts'],
  native: ['engine', 'builtin.ts'],
  unlearn: ['engine', 'index.ts', 'builtin.ts'],
  bench: ['engine', 'kernels', 'native', 'unlearn', 'index.ts'],
  cli: ['engine', 'native', 'unlearn', 'bench', 'index.ts'],
};
const ROOMS = Object.keys(MAY_IMPORT);
/** What users import, what Node runs, and the file that bundlers put in place of several (see `browser` in package.json). */
const ENTRIES = [
  'index.ts',
  'kernels/index.ts',
  'unlearn/index.ts',
  'unlearn/method.ts',
  'unlearn/no-files.ts',
  'cli/main.ts',
];

const folderOf = (path: string): string => path.split('/')[0];

/** Imports, of types too, that go where their folder may not, as `file -> file`. */
const strays = (modules: Modules): string[] =>
  [...modules].flatMap(([path, { imports }]) => {
    const own = folderOf(path);
    const allowed = MAY_IMPORT[own];
    if (allowed === undefined) return [];
    return imports.flatMap(({ from }) =>
      folderOf(from) === own || allowed.includes(folderOf(from)) ? [] : [`${path} -> ${from}`],
    );
  });
/** Names that nobody imports, of what these folders export. */
const unused = (modules: Modules, folders: readonly string[]): string[] =>
  unusedExports(modules, ENTRIES).filter((name) => folders.includes(folderOf(name)));

describe('the sources', () => {
  let modules: Modules;
  beforeAll(() => {
    modules = modulesOf(sources(...ROOMS, 'test', 'examples', '.'));
  });

  test('are found, and their imports', () => {
    expect(modules.size).toBeGreaterThan(500);
    expect(modules.get('index.ts')?.imports.map(({ from }) => from)).toContain('engine/runtime.ts');
  });
  test('import only what their folder may', () => {
    expect(strays(modules)).toEqual([]);
  });
  test('do not need each other in a circle to load', () => {
    expect(circlesOf(modules)).toEqual([]);
  });
  test('have the records of primitives above what tensors, programs and backends are', () => {
    for (const below of ['tensor', 'program', 'backend', 'device', 'context']) {
      const needed = [...neededBy(modules, `engine/${below}.ts`, ['value', 'type', 'late'])];
      expect(needed).toContain('engine/dtype.ts');
      expect(needed.filter((path) => /^engine\/(primitives|graph)\//.test(path))).toEqual([
        'engine/primitives/names.ts',
        'engine/primitives/table.ts',
      ]);
    }
  });
  test('export no name that no other file uses', () => {
    expect(unused(modules, ['engine', 'kernels', 'native', 'unlearn', 'cli'])).toEqual([]);
  });
});

describe('in a made-up tree', () => {
  const made = (files: Readonly<Record<string, string>>): Modules =>
    modulesOf(new Map(Object.entries(files)));

  test('an import from below to above is found, whatever it imports and when', () => {
    const modules = made({
      'engine/a.ts': "import type { R } from '../unlearn/run.ts';\nexport const a = 1;",
      'engine/b.ts': "export const late = () => import('../kernels/k.ts');",
      'kernels/k.ts': "import { a } from '../engine/a.ts';\nexport const k = a;",
      'native/n.ts': "export type N = import('../kernels/k.ts').K;",
      'unlearn/run.ts': "import { a } from '../engine/a.ts';\nexport type R = typeof a;",
    });
    expect(strays(modules)).toEqual([
      'engine/a.ts -> unlearn/run.ts',
      'engine/b.ts -> kernels/k.ts',
      'native/n.ts -> kernels/k.ts',
    ]);
  });
  test('a circle is found where values make it, not types or what is loaded later', () => {
    const modules = made({
      'engine/a.ts': "import { b } from './b.ts';\nexport const a = () => b;",
      'engine/b.ts': "import { c } from './deep/c.ts';\nexport const b = () => c;",
      'engine/deep/c.ts': "export { a as c } from '../a.ts';",
      'engine/d.ts': "import { a } from './a.ts';\nimport type { E } from './e.ts';\nexport const d: E = a;",
      'engine/e.ts': "export type E = unknown;\nexport const f = () => import('./d.ts');",
      'engine/g.ts': "import { d } from './d.ts';\nexport const g = d;",
    });
    expect(circlesOf(modules)).toEqual([['engine/a.ts', 'engine/b.ts', 'engine/deep/c.ts']]);
    const empty = made({
      'engine/a.ts': "import { type B } from './b.ts';\nexport type A = B;",
      'engine/b.ts': "import './a.ts';\nexport type B = 1;",
    });
    // What has no `type` before its braces is loaded, whatever stands in them.
    expect(circlesOf(empty)).toEqual([['engine/a.ts', 'engine/b.ts']]);
  });
  test('an export that only its own file uses is found, by whatever way others are used', () => {
    const modules = made({
      'index.ts': "export * from './engine/all.ts';\nexport * as space from './engine/space.ts';",
      'engine/all.ts': "export * from './named.ts';\nexport { one as first } from './one.ts';",
      'engine/named.ts': 'export const [shown, also] = [1, 2];\nexport interface Shape { n: number }',
      'engine/one.ts': 'export const one = 1;\nexport const two = one + 1;\nexport type Own = typeof two;',
      'engine/space.ts': 'export function inSpace(): void {}',
      'engine/parts.ts':
        'export class P {}\nexport const q = 1, r = 2;\nexport type T = P;\nexport default q;',
      'engine/whole.ts': 'export const w = 1;\nexport const v = 2;',
      'engine/late.ts': 'export const l = 1;',
      'engine/user.ts':
        "import q, * as parts from './parts.ts';\nimport * as whole from './whole.ts';\nconst p: parts.T = new parts.P();\nconsole.log(p, q, whole, await import('./late.ts'));",
    });
    expect(unused(modules, ['engine'])).toEqual([
      'engine/one.ts: two',
      'engine/one.ts: Own',
      'engine/parts.ts: q',
      'engine/parts.ts: r',
    ]);
  });
});
