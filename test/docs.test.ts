// The documentation, held to its word: code runs and prints what it says, commands and flags exist, links and file names
// lead somewhere.
//
// A ```ts block that begins with an import starts a module; one that does not goes on where the block before it ended.
// What it prints is compared with the comment behind each console.log, or with the ```text block that follows it; or with
// both, where that is ```text loose: what console.table prints, its words alone. Its numbers differ from processor to
// processor, and have bounds in `bounds`.
// ```ts no-run is type-checked only. Imports that begin with dots start at the page. With UPDATE_DOCS=1 what is printed is
// written into the ```text blocks: look at the difference before accepting it.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatWithOptions, stripVTControlCharacters } from 'node:util';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { close } from '../index.ts';
import { hasCpu } from './native/support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'build', 'docs-test');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.md'))
    .map((f) => `docs/${f}`),
].filter((page) => existsSync(join(root, page)));
const text = (page: string): string => readFileSync(join(root, page), 'utf8');

interface Block {
  language: string;
  code: string;
  line: number;
}
/** All fenced blocks of a page, in order. */
function blocksOf(page: string): Block[] {
  const found: Block[] = [];
  for (const match of text(page).matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm))
    found.push({
      language: match[1].trim(),
      code: match[2],
      line: text(page).slice(0, match.index).split('\n').length,
    });
  return found;
}
/** A block of text as it stands on a page. */
const textBlock = (lines: string): string => `\`\`\`text\n${lines}\n\`\`\``;
/** A page without its blocks. */
const prose = (page: string): string => text(page).replace(/^```[\s\S]*?^```$/gm, '');

// ---- code ------------------------------------------------------------------------------------------------------------

interface Part {
  code: string;
  line: number;
  /** What must be printed. */
  says: string;
  /** A table that must be printed after it. */
  table: string | null;
}
interface Script {
  page: string;
  parts: Part[];
  run: boolean;
}

function scriptsOf(page: string): Script[] {
  const scripts: Script[] = [];
  const blocks = blocksOf(page);
  blocks.forEach(({ language, code, line }, i) => {
    if (language !== 'ts' && language !== 'ts no-run') return;
    const next = blocks[i + 1];
    const comments = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)]
      .map((m) => m[1].trim())
      .join('\n');
    const says = next?.language === 'text' ? next.code.trimEnd() : comments;
    const table = next?.language === 'text loose' ? next.code : null;
    const run = language === 'ts';
    const last = scripts.at(-1);
    if (last === undefined || !run || !last.run || /^import /m.test(code))
      scripts.push({ page, parts: [{ code, line, says, table }], run });
    else last.parts.push({ code, line, says, table });
  });
  return scripts;
}

const scripts = pages.flatMap(scriptsOf);
const fileOf = (script: Script): string =>
  join(cache, `${script.page.replaceAll(/[/.]/g, '-')}-${script.parts[0].line}.ts`);
const MARK = 'docs-test: part';

/** Cells of what console.table prints, by row and column. */
function cellsOf(table: string): Record<string, Record<string, string>> {
  const lines = table.split('\n').filter((line) => line.includes('│'));
  const [head, ...rows] = lines.map((line) =>
    line
      .split('│')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return Object.fromEntries(
    rows.map(([name, ...cells]) => [name, Object.fromEntries(cells.map((cell, i) => [head[i + 1], cell]))]),
  );
}

/** Least and most a number in a loose table may be, by page, row and column: shown and printed alike. */
const bounds: Record<string, Record<string, Record<string, readonly [number, number]>>> = {
  'README.md': {
    original: { ua: [0, 10], ra: [95, 100], ta: [70, 100], avg_gap: [30, 60] },
    retrain: { ua: [97, 100], ra: [95, 100], ta: [70, 100], avg_gap: [0, 0] },
    boundaryShrink: { ua: [90, 100], ra: [94, 100], ta: [70, 100], avg_gap: [0, 6] },
    randomLabels: { ua: [95, 100], ra: [92, 100], ta: [70, 100], avg_gap: [0, 5] },
  },
};

rmSync(cache, { recursive: true, force: true });
mkdirSync(cache, { recursive: true });
/** Code of a page with its relative imports as they are from the cache. */
const moved = (page: string, code: string): string =>
  code.replace(/from '(\.[^']*)'/g, (_, path: string) => {
    const there = relative(cache, join(root, dirname(page), path));
    return `from '${there.replaceAll('\\', '/')}'`;
  });
for (const script of scripts) {
  const code = script.parts.map((p, i) => `console.log('${MARK}', ${i});\n${p.code}`).join('\n');
  // Imports must come first; the marker of the first part is not needed before them.
  const body = code.replace(/^console\.log\('docs-test: part', 0\);\n/, '');
  writeFileSync(fileOf(script), `${moved(script.page, body)}\nexport {};\n`);
}

afterAll(close);

// On the reference some of it would take hours.
const running = [...new Set(scripts.filter((s) => s.run).map((s) => s.page))];
describe.skipIf(!hasCpu).each(running)('code in %s', (page) => {
  it.each(scripts.filter((s) => s.run && s.page === page).map((s) => [s.parts[0].line, s] as const))(
    'from line %i on does what it says',
    async (_, script) => {
      const printed: string[][] = [[]];
      const log = vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => {
        if (args[0] === MARK) printed.push([]);
        else
          printed
            .at(-1)
            ?.push(formatWithOptions({ breakLength: Number.POSITIVE_INFINITY }, ...args).trimEnd());
      });
      try {
        await import(fileOf(script));
      } finally {
        log.mockRestore();
      }
      script.parts.forEach((part, i) => {
        const shown = printed[i] ?? [];
        if (part.table !== null) {
          const [said, made] = [cellsOf(part.table), cellsOf(stripVTControlCharacters(shown.pop() ?? ''))];
          const names = (cells: typeof said) =>
            Object.entries(cells).map(([row, c]) => [row, Object.keys(c)]);
          expect(names(made), `rows and columns of the table at ${page}:${part.line}`).toEqual(names(said));
          for (const [row, columns] of Object.entries(bounds[page]))
            for (const [column, [least, most]] of Object.entries(columns))
              for (const cells of [said, made]) {
                const value = Number(cells[row][column]);
                expect(value, `${column} of ${row} at ${page}`).toBeGreaterThanOrEqual(least);
                expect(value, `${column} of ${row} at ${page}`).toBeLessThanOrEqual(most);
              }
        }
        const lines = shown.join('\n').trimEnd();
        if (process.env.UPDATE_DOCS === '1')
          writeFileSync(
            join(root, page),
            text(page).replace(textBlock(part.says), () => textBlock(lines)),
          );
        expect(lines, `what the block at ${page}:${part.line} prints`).toBe(part.says);
      });
    },
    300_000,
  );
});

it('all code type-checks', () => {
  const config = join(cache, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules/@types')],
        paths: {
          lethe: [join(root, 'index.ts')],
          'lethe/unlearn': [join(root, 'unlearn/index.ts')],
          'lethe/method': [join(root, 'unlearn/method.ts')],
          'lethe/webgpu': [join(root, 'kernels/index.ts')],
        },
      },
      include: [join(cache, '*.ts')],
    }),
  );
  let output = '';
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  expect(output).toBe('');
});

// ---- commands --------------------------------------------------------------------------------------------------------

const commands = pages.flatMap((page) =>
  blocksOf(page)
    .filter((b) => b.language === 'sh')
    .flatMap((b) => b.code.split('\n'))
    .flatMap((line) => line.replace(/ #.*$/, '').split(/&&|;/))
    .map((line) => ({ page, line: line.trim() }))
    .filter(({ line }) => line !== '' && !line.startsWith('#')),
);

describe('commands', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = commands.flatMap(({ page, line }) => {
    const m = /(?:^|\s)npm (?:run ([\w:-]+)|(test|start))/.exec(line);
    return m ? [[m[1] ?? m[2], page] as const] : [];
  });
  it('are found', () => expect(commands.length).toBeGreaterThan(0));
  it.each(named)('npm run %s (%s) is a script', (name) => {
    expect(Object.keys(manifest.scripts)).toContain(name);
  });
  const files = commands.flatMap(({ page, line }) =>
    [...line.matchAll(/(?:^|\s)((?:examples|recipes|native|test|bench)\/[\w./-]+)/g)].map(
      (m) => [m[1], page] as const,
    ),
  );
  it.each(files)('%s (%s) exists', (file) => {
    expect(existsSync(join(root, file))).toBe(true);
  });

  const calls = commands.flatMap(({ page, line }) => {
    const m = /^(?:[A-Z_]+=\S+ )*(?:npx )?lethe ([a-z-]+(?: [a-z]+)?)(.*)$/.exec(line);
    return m ? [[m[1], m[2].match(/--[a-z][a-z-]*/g) ?? [], page] as const] : [];
  });
  it.each(calls)('lethe %s %s (%s) is understood', async (command, flags) => {
    const { lethe } = (await import(/* @vite-ignore */ join(root, 'cli/lethe.ts'))) as {
      lethe(argv: readonly string[], world: unknown): Promise<number>;
    };
    let help = '';
    const stream = { write: (s: string) => Boolean((help += s)), columns: 100, isTTY: false };
    const world = { stdout: stream, stderr: stream, env: {}, cwd: root };
    // The second word may be a command below the first; if it is not, the help is that of the first.
    expect(await lethe([...command.split(' '), '--help'], world)).toBe(0);
    for (const flag of flags) expect(help).toContain(flag);
  });
});

// ---- links and names -------------------------------------------------------------------------------------------------

const slug = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
const anchors = (page: string): string[] =>
  [...prose(page).matchAll(/^#{1,6} (.*)$/gm)].map((m) => slug(m[1]));

const folders = ['engine', 'kernels', 'native', 'unlearn', 'cli', 'bench', 'test', 'examples'].filter((f) =>
  existsSync(join(root, f)),
);
/** Source files below a folder, as paths from the root. */
const sourcesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && /\.(ts|js|mjs|cc|h|inc|sh|py)$/.test(f.name))
    .map((f) => relative(root, join(f.parentPath, f.name)));

it('files that are named in comments exist, in the folder of the comment or in one above', () => {
  const missing = ['index.ts', ...folders.flatMap(sourcesIn)].flatMap((file) => {
    const comments = text(file).match(/\.(sh|py)$/.test(file) ? /#.*/g : /\/\/.*|\/\*[\s\S]*?\*\//g) ?? [];
    const named = comments
      .join('\n')
      .matchAll(/(?<![\w./`$*{}-])[\w-]+(?:\/[\w.-]+)*\.(?:ts|cc|h|inc|mjs|sh|py)\b/g);
    const above = [dirname(file)];
    while (above[0] !== '.') above.unshift(dirname(above[0]));
    return [...new Set([...named].map((m) => m[0]))]
      .filter((name) => !above.some((folder) => existsSync(join(root, folder, name))))
      .map((name) => `${file}: ${name}`);
  });
  expect(missing).toEqual([]);
});

describe.each(pages)('names in %s', (page) => {
  it('links lead somewhere', () => {
    const broken = [...prose(page).matchAll(/(?:\]\(|(?:src|srcset|href)=")([^)"\s]+)/g)]
      .map((m) => m[1])
      .filter((target) => !/^(https?:|mailto:)/.test(target))
      .filter((target) => {
        const [path, anchor] = target.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        if (!existsSync(join(root, file))) return true;
        return anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor);
      });
    expect(broken).toEqual([]);
  });
  it('files that are named exist', () => {
    const missing = [
      ...prose(page).matchAll(
        /`((?:engine|kernels|native|unlearn|cli|bench|test|docs|examples|recipes|\.ci)\/[\w./-]*)`/g,
      ),
    ]
      .map((m) => m[1])
      .filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });
  it('environment variables are read by the code', () => {
    const code = folders.flatMap(sourcesIn).map(text).join('\n');
    const unknown = [...text(page).matchAll(/\bLETHE_[A-Z_]+/g)]
      .map((m) => m[0])
      .filter((v) => !code.includes(v));
    expect([...new Set(unknown)]).toEqual([]);
  });
});
