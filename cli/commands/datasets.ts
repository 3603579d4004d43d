// `lethe datasets`: what there is, what was understood of it, and, on request only, downloads. The reading and
// fetching is unlearn/data.

import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { LetheError } from '../../engine/error.ts';
import type { DatasetRecord, FileFact } from '../../unlearn/data/index.ts';
import { type Context, define, type World } from '../context.ts';
import { bytes, table } from '../format.ts';
import { inspectionText } from '../inspection.ts';

interface Flags {
  readonly data?: string;
}

interface CheckFlags extends Flags {
  readonly size?: readonly [number, number];
  readonly skipBad?: boolean;
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

  define<CheckFlags>(
    group,
    world,
    'check <name-or-folder>',
    {
      summary:
        'Read a data set, or a folder of your pictures, and say what was understood: counts, sizes, checksums, oddities.',
      examples: [
        'lethe datasets check my-photos',
        'lethe datasets check my-photos --size 64x64 --skip-bad',
        'lethe datasets check fashion-mnist --data data',
      ],
    },
    (command) =>
      command
        .option('--data <dir>', 'folder with data sets (else LETHE_DATA, else the cache)')
        .option('--size <HxW>', 'pictures: height x width to resize to, such as 64x48', sizeOf)
        .option('--skip-bad', 'pictures: leave out those that cannot be read, naming them'),
    async (context, [what], { data, ...flags }) => {
      const { datasets } = await import('../../unlearn/data/index.ts');
      const named = Object.hasOwn(datasets, what);
      const folder = !named && (await isFolder(what));
      if (!named && !folder && /[/\\]/.test(what))
        throw new LetheError('value', `no folder ${resolve(what)}`);
      const record = folder ? datasets.folder : datasets.byName(what);
      if (record.inspect === undefined) return describe(context, record, data);
      const { size, skipBad } = flags;
      const found = await datasets.inspect(record, { size, skipBad, dir: folder ? what : data });
      context.put(found, inspectionText(found));
      if (found.problems.length > 0)
        throw new LetheError('data', `${found.root}: ${found.problems.join('; ')}`);
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
        datasets.get(datasets.byName(name), { dir: flags.data, signal, onProgress }),
      );
      context.put({ folder }, folder);
    },
  );
}

const isFolder = (path: string) =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );

/** `64x48` as [height, width]. */
function sizeOf(text: string): [number, number] {
  const match = /^(\d{1,4})x(\d{1,4})$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('Expected HEIGHTxWIDTH in pixels, such as 64x48.');
  return [Number(match[1]), Number(match[2])];
}

async function describe(context: Context, record: DatasetRecord, dir: string | undefined): Promise<void> {
  const { datasets } = await import('../../unlearn/data/index.ts');
  const found = await datasets.describe(record, { dir });
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
}

function fileTable(files: readonly FileFact[]): string {
  return table(
    ['file', 'sha256', 'is'],
    files.map((f) => [basename(f.path), `${f.sha256.slice(0, 16)}…`, f.status]),
  );
}
