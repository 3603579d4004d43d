// Functions over 100 lines: docs/architecture.md lists those that are left, each with the reason. The list and the sources
// have to agree.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { functionsOf, sources } from './modules.ts';

const LIMIT = 100;
const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'architecture.md'), 'utf8');

test('functions over 100 lines are those that docs/architecture.md gives a reason for', () => {
  const long = [...sources('engine', 'kernels', 'native')].flatMap(([file, text]) =>
    functionsOf(text)
      .filter((f) => f.lines > LIMIT)
      .map((f) => `${f.name} in ${file}`),
  );
  const listed = [...page.matchAll(/^\| `(\w+)` in `([\w/.-]+)` \|/gm)].map(
    ([, name, file]) => `${name} in ${file}`,
  );
  expect(long.sort()).toEqual(listed.sort());
});

test('functions are found by the names of what they are assigned to, with their lines', () => {
  const text = `function a() {
  const inner = () =>
    1;
  return inner;
}
export const b = (x: number): number => x;
class C {
  d() {
    return 1;
  }
}
const e = { f: function () {
  return 1;
} };`;
  expect(functionsOf(text)).toEqual([
    { name: 'a', lines: 5 },
    { name: 'inner', lines: 2 },
    { name: 'b', lines: 1 },
    { name: 'd', lines: 3 },
    { name: 'f', lines: 3 },
  ]);
});
