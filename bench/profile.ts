// Where the time of a program goes: every instruction timed by the device's own clock, beside what it has to compute and
// to move, and how near that is to what the machine can do. Runs are profiled one by one and medians taken; the last one
// becomes a trace for chrome://tracing or ui.perfetto.dev.

import type { Backend, Ceilings, KernelTime } from '../engine/backend.ts';
import { LetheError } from '../engine/error.ts';
import type { Instruction } from '../engine/program.ts';
import { columns, digits, median } from './text.ts';
import { nameOf, shortest, workOf } from './work.ts';

/** Equal instructions of a program taken together. */
export interface ProfileRow {
  readonly name: string;
  /** How many there are in a run. */
  readonly count: number;
  readonly ms: number;
  /** Of all kernels' time, 0..100. */
  readonly percent: number;
  readonly gflops: number;
  readonly gbs: number;
  /** The shortest time the ceilings allow over the time taken, 0..100; above that where caches or Winograd help. */
  readonly percentOfRoofline: number | null;
}
export interface Profile {
  readonly name: string;
  readonly runs: number;
  /** All kernels of a run. */
  readonly ms: number;
  /** Slowest first. */
  readonly rows: readonly ProfileRow[];
  /** The kernels of the run of median length. */
  readonly kernels: readonly KernelTime[];
}

/** As `backend.profile()`, which not every backend has. */
export function startProfile(backend: Backend): () => Promise<readonly KernelTime[]> {
  if (backend.profile) return backend.profile();
  throw new LetheError('device', `device '${backend.name}' cannot time its kernels; 'cpu' and 'webgpu' can`);
}

/** One profile: what `run` enqueues, timed. */
export async function timeKernels(backend: Backend, run: () => void): Promise<readonly KernelTime[]> {
  const stop = startProfile(backend);
  try {
    run();
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
  return stop();
}

/**
 * Profiles runs of one case for about `seconds`, at least three of them, after one that warms up. `run` enqueues one and
 * returns what releases its results.
 */
export async function profile(
  backend: Backend,
  name: string,
  run: () => () => void,
  seconds: number,
  ceilings: Ceilings | null,
): Promise<Profile> {
  const once = async (): Promise<readonly KernelTime[]> => {
    let release = (): void => {};
    const times = await timeKernels(backend, () => {
      release = run();
    });
    release();
    return times;
  };
  await once();
  const runs: (readonly KernelTime[])[] = [];
  const end = performance.now() + seconds * 1000;
  while (runs.length < 3 || performance.now() < end) runs.push(await once());
  return { name, runs: runs.length, ...summary(runs, ceilings), kernels: typicalRun(runs) };
}

/** The run of median length: what a trace shows is as long as what the table says. */
export function typicalRun(runs: readonly (readonly KernelTime[])[]): readonly KernelTime[] {
  const total = (run: readonly KernelTime[]): number => run.reduce((sum, k) => sum + k.seconds, 0);
  return [...runs].sort((a, b) => total(a) - total(b))[runs.length >> 1];
}

interface Group {
  count: number;
  seconds: number;
  flops: number;
  bytes: number;
  shortest: number;
}

const doneBy = (k: KernelTime): Instruction => k.program.instructions[k.instruction];

/** Rows from the kernels of several equal runs. */
export function summary(
  runs: readonly (readonly KernelTime[])[],
  ceilings: Ceilings | null,
): Pick<Profile, 'ms' | 'rows'> {
  // Kernel k is the same kernel in every run.
  const typical = runs[0].map((k, n) => ({ ...k, seconds: median(runs.map((r) => r[n].seconds)) }));
  const groups = new Map<string, Group>();
  let previous: KernelTime | null = null;
  for (const k of typical) {
    const done = doneBy(k);
    const name = nameOf(done);
    const group = groups.get(name) ?? { count: 0, seconds: 0, flops: 0, bytes: 0, shortest: 0 };
    groups.set(name, group);
    group.seconds += k.seconds;
    // An instruction of several kernels has its work once.
    const same = previous?.program === k.program && previous.instruction === k.instruction;
    previous = k;
    if (same) continue;
    const work = workOf(k.program, done);
    group.count++;
    group.flops += work.flops;
    group.bytes += work.bytes;
    if (ceilings) group.shortest += shortest(work, ceilings);
  }
  const total = typical.reduce((sum, k) => sum + k.seconds, 0);
  const rate = (amount: number, seconds: number): number => (seconds > 0 ? amount / seconds / 1e9 : 0);
  const rows = [...groups].map(([name, g]) => ({
    name,
    count: g.count,
    ms: g.seconds * 1000,
    percent: total > 0 ? (100 * g.seconds) / total : 0,
    gflops: rate(g.flops, g.seconds),
    gbs: rate(g.bytes, g.seconds),
    percentOfRoofline: ceilings && g.seconds > 0 ? (100 * g.shortest) / g.seconds : null,
  }));
  return { ms: total * 1000, rows: rows.sort((a, b) => b.ms - a.ms) };
}

const HEAD = ['kernel', 'n', 'ms', '% time', 'GFLOP/s', 'GB/s', '% roofline'];
const SHOWN = 20;

/** The rows as lines of text; beyond the first twenty in one. */
export function profileLines({ name, runs, ms, rows }: Profile): string[] {
  const cells = rows
    .slice(0, SHOWN)
    .map((r) => [
      r.name,
      String(r.count),
      r.ms.toFixed(3),
      r.percent.toFixed(1),
      digits(r.gflops),
      digits(r.gbs),
      r.percentOfRoofline === null ? '-' : r.percentOfRoofline.toFixed(0),
    ]);
  const rest = rows.slice(SHOWN);
  if (rest.length > 0) {
    const sum = (of: (r: ProfileRow) => number): number => rest.reduce((s, r) => s + of(r), 0);
    cells.push([
      `${rest.length} others`,
      String(sum((r) => r.count)),
      sum((r) => r.ms).toFixed(3),
      sum((r) => r.percent).toFixed(1),
      '',
      '',
      '',
    ]);
  }
  return [`${name}: ${ms.toFixed(3)} ms in kernels, medians of ${runs} runs`, ...columns(HEAD, cells)];
}

/** Chrome's trace-event format: a line for each case, an event for each kernel, times in microseconds. */
export function traceOf(profiles: readonly Profile[], device: string): object {
  const process = { pid: 1, ph: 'M', name: 'process_name', args: { name: `lethe, ${device}` } };
  const traceEvents: object[] = [process];
  profiles.forEach((p, at) => {
    const tid = at + 1;
    traceEvents.push({ pid: 1, tid, ph: 'M', name: 'thread_name', args: { name: p.name } });
    for (const k of p.kernels) {
      const done = doneBy(k);
      const { flops, bytes } = workOf(k.program, done);
      traceEvents.push({
        pid: 1,
        tid,
        ph: 'X',
        name: nameOf(done),
        cat: done.kind === 'op' ? done.op : done.kind,
        ts: k.start * 1e6,
        dur: k.seconds * 1e6,
        args: { program: k.program.label, instruction: k.instruction, kernel: k.kernel, flops, bytes },
      });
    }
  });
  return { displayTimeUnit: 'ms', traceEvents };
}
