// node dist/bench/gpu/main.js --out FILE: the GPU bench as a command. Lines go to stdout as they come; FILE gets the
// results as JSON, and its neighbour with the ending .md the tables of the documentation.

import { parseArgs } from 'node:util';
import { LetheError } from '../../engine/error.ts';
import { writeFileAtomic } from '../../unlearn/files.ts';
import { type GpuBenchOptions, runGpuBench } from './index.ts';
import { PEER_NAMES, type PeerName } from './peers.ts';
import { tablesOf } from './report.ts';

const USAGE = `Usage: node dist/bench/gpu/main.js [options]
  --out FILE         results as JSON, and as Markdown beside it
  --set gpu|peers    what a card is measured by (default), or what the WebGPU peers can do too
  --peers LIST       of ${PEER_NAMES.join(', ')}
  --filter TEXT      only cases whose suite or name contains it
  --quick            small sizes: the whole path, no figures
  --seconds N        for each side of a case (default 1)
  --minutes N        no case is begun later (default 9)
  --checked-only     not a second time with Dawn's checks off`;

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new LetheError('value', `--${name}: expected a number above 0, got "${text}"`);
}
function oneOf<T extends string>(text: string, known: readonly T[], name: string): T {
  const found = known.find((k) => k === text);
  if (found) return found;
  throw new LetheError('value', `--${name}: expected ${known.join(', ')}, got "${text}"`);
}

function parse(args: string[]): { out?: string; options: GpuBenchOptions } | null {
  const { values: v } = parseArgs({
    args,
    options: {
      out: { type: 'string' },
      set: { type: 'string', default: 'gpu' },
      peers: { type: 'string', default: '' },
      filter: { type: 'string' },
      quick: { type: 'boolean' },
      seconds: { type: 'string' },
      minutes: { type: 'string' },
      'checked-only': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  } as const);
  if (v.help) return null;
  return {
    out: v.out,
    options: {
      set: oneOf(v.set, ['gpu', 'peers'] as const, 'set'),
      peers: v.peers
        .split(',')
        .filter((p) => p !== '')
        .map((p): PeerName => oneOf(p, PEER_NAMES, 'peers')),
      filter: v.filter,
      quick: v.quick,
      seconds: number(v.seconds, 'seconds'),
      minutes: number(v.minutes, 'minutes'),
      ...(v['checked-only'] && { unchecked: false }),
    },
  };
}

async function main(): Promise<number> {
  const wanted = parse(process.argv.slice(2));
  if (wanted === null) {
    console.log(USAGE);
    return 0;
  }
  const result = await runGpuBench({ ...wanted.options, onLine: (line) => console.log(line) });
  if (wanted.out) {
    await writeFileAtomic(wanted.out, `${JSON.stringify(result, null, 1)}\n`);
    await writeFileAtomic(wanted.out.replace(/(\.json)?$/, '.md'), tablesOf(result));
  }
  return result.results.some((r) => r.sides.some((s) => s.right === false)) ? 1 : 0;
}

try {
  // What a device that hangs still holds must not keep the process.
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof LetheError && error.kind !== 'value' ? 1 : 2);
}
