// `lethe datasets`: what there is, what was understood of it, and, on request only, downloads. The reading and
// fetching is unlearn/data.

import { basename } from 'node:path';
import type { Command } from 'commander';
import { define, type World } from '../context.ts';
import { bytes, table } from '../format.ts';

interface Flags {
  readonly data?: string;
}

export function register(program: Command, world: World): void {
  const group = program.command('datasets').description('List, check and download data sets.');
  group.addHelpText(
    'before',
    'Examples:\n  lethe datasets list\n  lethe datasets check fashion-mnist --data data\n  lethe datasets get cifar-10\n',
  );

  define<Flags>(
    group,
    world,
    'list',
    {
      summary: 'The data sets Lethe can read.',
      examples: ['lethe datasets list', 'lethe datasets list --json'],
    },
    (command) => command,
    async (context) => {
      const { datasets } = await import('../../unlearn/data/index.ts');
      const all = datasets.list();
      const rows = all.map((d) => [d.name, d.download ? 'yes' : 'no', d.description]);
      context.put(all, table(['name', 'get', 'description'], rows));
    },
  );

  define<Flags>(
    group,
    world,
    'check <name>',
    {
      summary: 'Read a data set and say what was understood: files, checksums, counts, statistics, oddities.',
      examples: [
        'lethe datasets check fashion-mnist --data data',
        'lethe datasets check folder --data my-pictures',
      ],
    },
    (command) => command.option('--data <dir>', 'folder with data sets (else LETHE_DATA, else the cache)'),
    async (context, [name], flags) => {
      const { datasets } = await import('../../unlearn/data/index.ts');
      const found = await datasets.describe(name, { dir: flags.data });
      const numbers = (list: readonly number[]) => list.map((x) => x.toFixed(4)).join(', ');
      const text = [
        `${found.name}: ${found.description}`,
        `images   ${found.shape.join(' x ')} (height, width, channels); ${found.train} for training, ${found.test} for testing`,
        `mean     ${numbers(found.mean)}`,
        `std      ${numbers(found.std)}`,
        `sha256   ${found.hash}`,
        ...found.notes.map((note) => `note     ${note}`),
        '',
        table(
          ['class', 'train', 'test'],
          found.classes.map((c) => [c.name, String(c.train), String(c.test)]),
        ),
        ...(found.files.length > 0 && found.files.length <= 50 ? ['', fileTable(found.files)] : []),
      ];
      context.put(found, text.join('\n'));
    },
  );

  define<Flags>(
    group,
    world,
    'get <name>',
    {
      summary: 'Download a public data set, taking up what an earlier try left; checked by sha256.',
      examples: ['lethe datasets get fashion-mnist', 'lethe datasets get cifar-10 --data data'],
    },
    (command) => command.option('--data <dir>', 'where to put it; default: the cache'),
    async (context, [name], flags) => {
      const { datasets } = await import('../../unlearn/data/index.ts');
      let last = 0;
      const onProgress = (file: string, have: number, total: number | null) => {
        if (performance.now() - last < 2000) return;
        last = performance.now();
        context.say(`${file}: ${bytes(have)}${total === null ? '' : ` of ${bytes(total)}`}`);
      };
      const folder = await context.interruptible((signal) =>
        datasets.get(name, { dir: flags.data, signal, onProgress }),
      );
      context.put({ folder }, folder);
    },
  );
}

type Fact = Awaited<
  ReturnType<typeof import('../../unlearn/data/index.ts').datasets.describe>
>['files'][number];

function fileTable(files: readonly Fact[]): string {
  return table(
    ['file', 'sha256', 'is'],
    files.map((f) => [basename(f.path), `${f.sha256.slice(0, 16)}…`, f.status]),
  );
}
