// Runs the bench: machine ceilings first, then every case, the peer's samples taken between ours. Benchmark.js drives the
// repetitions; minimum and median come from our own samples, because its deferred mode keeps only means.

import { arch, cpus, totalmem } from 'node:os';
import Benchmark from 'benchmark';
import { device } from '../engine/runtime.ts';
import * as lt from '../index.ts';
import { type Case, casesLike, disposeAll } from './cases.ts';
import { type Peer, startPyTorch } from './peer.ts';
import { type Profile, profile, profileLines, startProfile } from './profile.ts';
import { median } from './text.ts';

export interface BenchOptions {
  /** Measure PyTorch beside each case. */
  peers?: boolean;
  /** Only cases whose suite or name contains this text. */
  filter?: string;
  /** Seconds for each side of a case. Default 1. */
  seconds?: number;
  device?: 'cpu' | 'webgpu' | 'reference';
  /** Time the kernels of each case too. */
  profile?: boolean;
  /** Called after each case with its finished line. */
  onLine?: (line: string) => void;
}

export interface Measurement {
  suite: string;
  name: string;
  gflop: number;
  ms: number;
  medianMs: number;
  gflops: number;
  /** What has to move at least over the time, where memory is what limits. */
  gbs: number | null;
  /** Of the rate of multiply-adds, or of the bandwidth where memory is what limits. */
  percentOfPeak: number | null;
  samples: number;
  peerMs: number | null;
  peerMedianMs: number | null;
  /** Peer's time over ours: above 1, we are faster. */
  speedup: number | null;
}
export interface BenchResult {
  machine: Record<string, string | number>;
  /** `pingPongNs`: from one core to another and back, halved; on a CPU. */
  ceilings: { gflops: number; triadGBs: number; pingPongNs?: number } | null;
  peer: string | null;
  date: string;
  measurements: Measurement[];
  /** Where the time of each case goes, if asked for; against the ceilings measured first. */
  profiles?: Profile[];
}

const round = (x: number, digits = 3): number => Number(x.toPrecision(digits + 1));

/** Milliseconds of single runs, each waited for. */
async function sample(run: () => unknown, seconds: number): Promise<number[]> {
  const samples: number[] = [];
  const once = async (): Promise<void> => {
    const start = performance.now();
    const result = run();
    await lt.sync();
    samples.push(performance.now() - start);
    disposeAll(result);
  };
  await once();
  await once();
  samples.length = 0;
  await new Promise<void>((resolve, reject) => {
    new Benchmark('case', {
      defer: true,
      minSamples: 3,
      maxTime: seconds,
      initCount: 1,
      // Between its cycles Benchmark.js waits, and the cores fall asleep: as many runs in a row as a peer does.
      minTime: 0.05,
      fn: (deferred: { resolve(): void }) => {
        once().then(
          () => deferred.resolve(),
          (e) => reject(e),
        );
      },
      onComplete: () => resolve(),
      onError: (e: { target?: { error?: unknown } }) => reject(e.target?.error ?? e),
    }).run({ async: true });
  });
  return samples;
}

/** Share of the ceiling that a case is held against. */
const percentOf = (
  { gflops, gbs }: Pick<Measurement, 'gflops' | 'gbs'>,
  ceilings: BenchResult['ceilings'],
): number | null =>
  ceilings && round(100 * (gbs === null ? gflops / ceilings.gflops : gbs / ceilings.triadGBs), 2);

async function measure(
  c: Case,
  peer: Peer | null,
  ceilings: BenchResult['ceilings'],
  seconds: number,
): Promise<Measurement> {
  const prepared = c.prepare();
  const ours: number[] = [];
  const theirs: number[] = [];
  const ROUNDS = peer ? 2 : 1;
  for (let i = 0; i < ROUNDS; i++) {
    ours.push(...(await sample(prepared.run, seconds / ROUNDS)));
    if (!peer || !c.peer) continue;
    const rounds = Math.max(3, Math.min(50, Math.round((seconds * 1000) / ROUNDS / median(ours) / 3)));
    const got = await peer.measure(c.peer, { rounds });
    if (typeof got === 'string') throw new lt.LetheError('device', `${c.name}: ${peer.name} failed: ${got}`);
    theirs.push(...got.ms);
  }
  prepared.dispose();
  const ms = Math.min(...ours);
  const peerMs = theirs.length ? Math.min(...theirs) : null;
  const gflops = round(prepared.flops / ms / 1e6);
  const gbs = c.bytes === undefined ? null : round(c.bytes / ms / 1e6);
  return {
    suite: c.suite,
    name: c.name,
    gflop: round(prepared.flops / 1e9),
    ms: round(ms),
    medianMs: round(median(ours)),
    gflops,
    gbs,
    percentOfPeak: percentOf({ gflops, gbs }, ceilings),
    samples: ours.length,
    peerMs: peerMs === null ? null : round(peerMs),
    peerMedianMs: theirs.length ? round(median(theirs)) : null,
    speedup: peerMs === null ? null : round(peerMs / ms, 2),
  };
}

const HEAD = ['case', 'ms', 'median', 'rate', '% peak', 'peer ms', 'faster'];
const WIDTHS = [50, 9, 9, 14, 7, 9, 7];
const row = (cells: readonly string[]): string =>
  cells.map((c, i) => (i === 0 ? c.padEnd(WIDTHS[0]) : c.padStart(WIDTHS[i]))).join(' ');
const show = (m: Measurement): string =>
  row([
    m.name,
    String(m.ms),
    String(m.medianMs),
    m.gbs === null ? `${m.gflops} GFLOP/s` : `${m.gbs} GB/s`,
    m.percentOfPeak === null ? '-' : String(m.percentOfPeak),
    m.peerMs === null ? '-' : String(m.peerMs),
    m.speedup === null ? '-' : `${m.speedup}x`,
  ]);

/** Measures all cases (or those that match) and returns them; lines are reported as they come. */
export async function runBench({
  peers = false,
  filter = '',
  seconds = 1,
  profile: profiling = false,
  device: name = 'cpu',
  onLine = () => undefined,
}: BenchOptions = {}): Promise<BenchResult> {
  const wanted = casesLike(filter);
  await lt.init({ device: name });
  const { backend } = device();
  if (profiling) await startProfile(backend)();
  const peer = peers ? await startPyTorch() : null;
  // A busy neighbour only ever lowers what is measured: the best of three.
  const readCeilings = async (): Promise<BenchResult['ceilings']> => {
    const found: NonNullable<BenchResult['ceilings']>[] = [];
    while (backend.ceilings && found.length < 3) found.push(await backend.ceilings());
    if (found.length === 0) return null;
    const pings = found.flatMap((c) => c.pingPongNs ?? []);
    return {
      gflops: Math.max(...found.map((c) => c.gflops)),
      triadGBs: Math.max(...found.map((c) => c.triadGBs)),
      ...(pings.length > 0 && { pingPongNs: Math.min(...pings) }),
    };
  };
  const ceilings = await readCeilings();
  onLine(
    `${backend.name}: ${Object.entries(backend.info)
      .map(([k, v]) => `${k} ${v}`)
      .join(', ')}`,
  );
  if (ceilings)
    onLine(
      `ceilings: ${round(ceilings.gflops)} GFLOP/s FMA, ${round(ceilings.triadGBs)} GB/s triad${ceilings.pingPongNs === undefined ? '' : `, ${round(ceilings.pingPongNs)} ns core to core`}`,
    );
  if (peer) onLine(`peer: ${peer.name}, ${peer.threads} threads, its better memory layout`);
  onLine(row(HEAD));
  const measurements: Measurement[] = [];
  const profiles: Profile[] = [];
  try {
    for (const c of wanted) {
      const m = await measure(c, peer, ceilings, seconds);
      measurements.push(m);
      onLine(show(m));
      if (!profiling) continue;
      const prepared = c.prepare();
      const run = (): (() => void) => {
        const result = prepared.run();
        return () => disposeAll(result);
      };
      const p = await profile(backend, c.name, run, seconds, ceilings);
      prepared.dispose();
      profiles.push(p);
      for (const line of [...profileLines(p), '']) onLine(line);
    }
  } finally {
    peer?.close();
  }
  // For the same reason the ceiling is the better of before and after.
  const after = await readCeilings();
  if (ceilings && after) {
    const scale = ceilings.gflops;
    ceilings.gflops = Math.max(ceilings.gflops, after.gflops);
    ceilings.triadGBs = Math.max(ceilings.triadGBs, after.triadGBs);
    for (const m of measurements) m.percentOfPeak = percentOf(m, ceilings);
    if (ceilings.gflops > 1.02 * scale)
      onLine(
        `ceiling measured again: ${round(ceilings.gflops)} GFLOP/s; the percentages above are too high by ${round(ceilings.gflops / scale, 2)}x`,
      );
  }
  return {
    machine: {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      architecture: arch(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      ...(backend.info as Record<string, string | number>),
    },
    ceilings,
    peer: peer?.name ?? null,
    date: new Date().toISOString(),
    measurements,
    ...(profiling && { profiles }),
  };
}
