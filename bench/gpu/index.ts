// The bench on WebGPU: adapter and ceilings first, then every case on every side in turn, each result compared with what
// is right. A case that fails, or takes too long, is written down as such, and the rest goes on.

import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { LetheError } from '../../engine/error.ts';
import { requestAdapter } from '../../kernels/device.ts';
import { dawn } from '../../kernels/node.ts';
import type { Case, Float } from '../cases.ts';
import type { Peer } from '../peer.ts';
import { gpuCases, peerCases } from './cases.ts';
import { type PeerName, startPeers } from './peers.ts';
import { expected, Lethe, type Turn, takePeer } from './sides.ts';

export interface GpuBenchOptions {
  /** `gpu`: what a card is measured by; `peers`: what the WebGPU peers can do too, in sizes for software Vulkan. */
  readonly set?: 'gpu' | 'peers';
  readonly peers?: readonly PeerName[];
  /** Small sizes: the whole path, but no figures worth anything. */
  readonly quick?: boolean;
  /** Only cases whose suite or name contains this text. */
  readonly filter?: string;
  /** Seconds for each side of a case. Default 1. */
  readonly seconds?: number;
  /** No case is begun after so many minutes. Default 9. */
  readonly minutes?: number;
  /** Measure a second time with Dawn's validation and bounds checks off. Default true. */
  readonly unchecked?: boolean;
  /** Called with each line as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface SideResult {
  readonly side: string;
  /** Minimum and median of the samples, in milliseconds of one run; null where the side failed. */
  readonly ms: number | null;
  readonly medianMs?: number;
  readonly samples?: number;
  /** Milliseconds of the first run, with compilation. */
  readonly firstMs?: number;
  /** Distance of the sampled results from what is right, as a share of their norm; null where nothing is known. */
  readonly error?: number | null;
  readonly right?: boolean | null;
  readonly failure?: string;
}
export interface CaseResult {
  readonly suite: string;
  readonly name: string;
  readonly gflop: number;
  readonly bytes: number | null;
  readonly tolerance: number;
  readonly sides: readonly SideResult[];
}
export interface GpuBenchResult {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly adapter: Readonly<Record<string, unknown>>;
  /** Of each of Lethe's sides. */
  readonly ceilings: Readonly<Record<string, { readonly gflops: number; readonly triadGBs: number }>>;
  readonly sides: readonly string[];
  /** Options of Dawn that Lethe's sides were opened with. */
  readonly dawn: Readonly<Record<string, readonly string[]>>;
  readonly date: string;
  readonly minutes: number;
  readonly results: readonly CaseResult[];
}

const round = (x: number, digits = 4): number => Number(x.toPrecision(digits));
const messageOf = (e: unknown): string => (e instanceof Error ? e.message : String(e)).split('\n')[0];

/** A case that takes longer than this on one side, in seconds, has failed. */
const CASE_SECONDS = 60;
/** Runs shorter than this, in milliseconds, are waited for in groups: waiting itself takes a while. */
const LEAST_MS = 10;

const within = async <T>(work: Promise<T>, seconds: number, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new LetheError('device', `${what}: not done after ${seconds} s`)),
      seconds * 1000,
    );
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** ||a - b|| / ||b||. */
export function distance(a: readonly number[], b: readonly number[]): number {
  let [difference, norm] = [0, 0];
  b.forEach((y, i) => {
    difference += (a[i] - y) ** 2;
    norm += y ** 2;
  });
  return Math.sqrt(difference / Math.max(norm, Number.MIN_VALUE));
}

const CHECKS_OFF = 'enable-dawn-features=skip_validation,disable_robustness';

export async function runGpuBench(options: GpuBenchOptions = {}): Promise<GpuBenchResult> {
  const {
    set = 'gpu',
    peers: wantedPeers = [],
    quick = false,
    filter = '',
    seconds = quick ? 0.1 : 1,
    minutes = 9,
    unchecked = set === 'gpu',
    onLine = () => undefined,
  } = options;
  const begin = performance.now();
  const passed = (): number => (performance.now() - begin) / 60000;
  const ours = [new Lethe('Lethe', []), ...(unchecked ? [new Lethe('Lethe unchecked', [CHECKS_OFF])] : [])];
  const backend = await ours[0].backend();
  const adapter = await adapterFacts(backend.info);
  onLine(`adapter: ${backend.info.adapter}`);
  const { peers, missing } = await startPeers(wantedPeers);
  for (const line of missing) onLine(line);
  const floats = (['float32', 'float16'] as const).filter((f): f is Float =>
    backend.supports(f as 'float32'),
  );
  const all = set === 'peers' ? peerCases : gpuCases(floats, quick);
  const wanted = all.filter((c) => `${c.suite} ${c.name}`.toLowerCase().includes(filter.toLowerCase()));
  if (wanted.length === 0) throw new LetheError('value', `bench: no case contains '${filter}'`);
  const ceilings: Record<string, { gflops: number; triadGBs: number }> = {};
  for (const side of ours) {
    const found = await (await side.backend()).ceilings?.();
    if (!found) continue;
    ceilings[side.name] = { gflops: round(found.gflops), triadGBs: round(found.triadGBs) };
    onLine(`${side.name}: ${round(found.gflops)} GFLOP/s multiply-add, ${round(found.triadGBs)} GB/s triad`);
  }
  const results: CaseResult[] = [];
  try {
    for (const c of wanted) {
      if (passed() >= minutes) {
        onLine(`${wanted.length - results.length} cases left out: ${minutes} minutes are over`);
        break;
      }
      const result = await measureCase(c, ours, peers, seconds);
      results.push(result);
      for (const line of linesOf(result)) onLine(line);
    }
  } finally {
    for (const p of peers) p.close();
    for (const o of ours) await within(o.close(), 10, o.name).catch(() => undefined);
  }
  return {
    machine: machineFacts(),
    adapter,
    ceilings,
    sides: [...ours, ...peers].map((s) => s.name),
    dawn: Object.fromEntries(ours.map((o) => [o.name, o.dawn])),
    date: new Date().toISOString(),
    minutes: round(passed(), 3),
    results,
  };
}

/** One case: the first of our sides in turn with the peers, since a shared machine is now faster, now slower; others after. */
async function measureCase(
  c: Case,
  ours: readonly Lethe[],
  peers: readonly Peer[],
  seconds: number,
): Promise<CaseResult> {
  const [first, ...others] = ours;
  const asked = c.peer ? peers : [];
  const sides = [
    { name: first.name, take: () => first.take(c), fail: () => first.close() },
    ...asked.map((p) => ({ name: p.name, take: () => takePeer(p, c), fail: async () => undefined })),
  ];
  const laps = [
    sides,
    ...others.map((o) => [{ name: o.name, take: () => o.take(c), fail: () => o.close() }]),
  ];
  const found: SideResult[] = [];
  let flops = 0;
  let right: number[] | null = null;
  for (const lap of laps) {
    const turns: { side: (typeof sides)[number]; turn: Turn | null; ms: number[]; failure?: string }[] = [];
    const guarded = async (t: (typeof turns)[number], work: () => Promise<void>): Promise<void> => {
      try {
        await within(work(), CASE_SECONDS, t.side.name);
      } catch (cause) {
        t.failure = messageOf(cause);
        t.turn = null;
        await within(t.side.fail(), 10, t.side.name).catch(() => undefined);
      }
    };
    for (const side of lap) {
      const t: (typeof turns)[number] = { side, turn: null, ms: [] };
      turns.push(t);
      await guarded(t, async () => {
        t.turn = await side.take();
      });
    }
    const rounds = lap.length > 1 ? 3 : 1;
    for (let n = 0; n < rounds; n++)
      for (const t of turns)
        if (t.turn !== null)
          await guarded(t, async () => {
            t.ms.push(...((await t.turn?.sample(seconds / rounds, LEAST_MS)) ?? []));
          });
    for (const t of turns) {
      flops = Math.max(flops, t.turn?.flops ?? 0);
      right ??= t.turn && (await expected(c, flops));
      found.push(resultOf(c, t.side.name, t, right));
      if (t.turn) await guarded(t, async () => t.turn?.dispose());
    }
  }
  return {
    suite: c.suite,
    name: c.name,
    gflop: round(flops / 1e9),
    bytes: c.bytes ?? null,
    tolerance: c.tolerance,
    sides: found,
  };
}

function resultOf(
  c: Case,
  side: string,
  { turn, ms, failure }: { turn: Turn | null; ms: readonly number[]; failure?: string },
  right: readonly number[] | null,
): SideResult {
  if (turn === null || ms.length === 0) return { side, ms: null, failure };
  const sorted = [...ms].sort((a, b) => a - b);
  const error = right && turn.values.length === right.length ? distance(turn.values, right) : null;
  return {
    side,
    ms: round(sorted[0]),
    medianMs: round(sorted[sorted.length >> 1]),
    samples: ms.length,
    ...(turn.firstMs !== undefined && { firstMs: round(turn.firstMs) }),
    error: error === null ? null : round(error, 2),
    // NaN is not right.
    right: error === null ? null : error <= c.tolerance,
  };
}

/** The case's line for each side, for people who wait. */
function linesOf(r: CaseResult): string[] {
  const [{ ms: own }] = r.sides;
  return r.sides.map((s, i) => {
    const name = (i === 0 ? r.name : '').padEnd(46);
    if (s.ms === null) return `${name} ${s.side.padEnd(22)} failed: ${s.failure}`;
    const rate =
      r.bytes === null ? `${round(r.gflop / s.ms)} TFLOP/s` : `${round(r.bytes / s.ms / 1e6)} GB/s`;
    const ratio = i === 0 || own === null ? '' : `${round(s.ms / own, 3)}x`;
    const wrong = s.right === false ? `  WRONG: off by ${s.error}` : '';
    return `${name} ${s.side.padEnd(22)} ${String(s.ms).padStart(9)} ms ${rate.padStart(16)} ${ratio}${wrong}`;
  });
}

/** What the adapter offers, whether Lethe asks for it or not. */
async function adapterFacts(info: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const adapter = await requestAdapter(await dawn(), { allowSoftware: true });
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = adapter.info;
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') limits[name] = value;
  }
  return {
    vendor,
    architecture,
    device,
    description,
    subgroups: [subgroupMinSize, subgroupMaxSize],
    features: [...adapter.features].sort(),
    limits,
    lethe: info,
  };
}

function machineFacts(): Record<string, string | number> {
  const card = spawnSync(
    'nvidia-smi',
    ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'],
    {
      encoding: 'utf8',
    },
  );
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    ...(card.status === 0 && { card: card.stdout.trim().split('\n')[0] }),
  };
}
