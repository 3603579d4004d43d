// Runs the code blocks of docs/data.md; where a console.log has a comment behind it, that is what it must print.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { formatWithOptions } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { scratch } from './helpers.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(join(root, 'docs', 'data.md'), 'utf8');
const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]);

describe('docs/data.md', () => {
  it('has code', () => expect(blocks.length).toBeGreaterThan(4));

  it.each(blocks.map((block, i) => [i + 1, block] as const))(
    'block %i runs and prints what it says',
    async (_, block) => {
      const index = pathToFileURL(join(root, 'unlearn', 'data', 'index.ts')).href;
      const code = block.replaceAll("'lethe/unlearn'", `'${index}'`);
      const path = join(await scratch({ 'block.ts': code }), 'block.ts');
      const printed: string[] = [];
      const log = vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => {
        printed.push(formatWithOptions({ breakLength: Number.POSITIVE_INFINITY }, ...args).trim());
      });
      try {
        await import(path);
      } finally {
        log.mockRestore();
      }
      const said = [...block.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1].trim());
      expect(printed).toEqual(said);
    },
  );
});
