// package.json tells bundlers the truth: a module that does something when it is imported is never left out.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const { sideEffects } = JSON.parse(readFileSync('package.json', 'utf8')) as { sideEffects: string[] };
const sourceOf = (file: string) => file.replace('./dist/', '').replace(/\.js$/, '.ts');

it('every module that has an effect is listed, and every way in that leads to one', () => {
  expect(sideEffects.map(sourceOf).filter((file) => !existsSync(file))).toEqual([]);
  // What is set on a prototype by one module is used by others that do not name it.
  const modules = ['index.ts', ...['engine', 'kernels', 'native', 'unlearn'].flatMap(sources)];
  const extending = modules.filter((file) =>
    /^ *Object\.(defineProperty|defineProperties|assign)\(\w+\.prototype/m.test(readFileSync(file, 'utf8')),
  );
  expect(extending).toEqual(['engine/ops/index.ts']);
  // Bundlers follow names through modules that only hand them on, past those without effects.
  const handing = modules.filter((file) =>
    /^export \* from '\.\/(engine|ops)\/index\.ts'/m.test(readFileSync(file, 'utf8')),
  );
  expect(sideEffects.map(sourceOf)).toEqual([...handing, ...extending]);
});

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith('.ts'))
    .map((f) => join(f.parentPath, f.name));
}
