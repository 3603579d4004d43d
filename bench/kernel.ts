// `lethe bench kernel FILE.wgsl`: somebody's own shader (kernel-file.ts), checked and timed beside ours. The sizes are
// declared for the shader as constants, `const rows = 512u;`, behind its last line, so that line numbers stay those of the
// file. Its entry point is `main`.

import type { Ceilings, Executable } from '../engine/backend.ts';
import { sizeOf } from '../engine/dtype.ts';
import { LetheError } from '../engine/error.ts';
import type { Program } from '../engine/program.ts';
import { createReferenceBackend } from '../engine/reference.ts';
import { device } from '../engine/runtime.ts';
import * as lt from '../index.ts';
import type { WebGpuBackend } from '../kernels/backend.ts';
import { secondsOf } from '../kernels/clock.ts';
import { Lowering } from '../kernels/lowering.ts';
import { MAX_GROUPS } from '../kernels/shader.ts';
import { type KernelFile, parseSizes } from './kernel-file.ts';
import { numbers } from './search.ts';
import type { Sizes, Task } from './tasks.ts';
import { columns, digits, median } from './text.ts';
import { shortest, type Work, workOf } from './work.ts';

const showSizes = (task: Task, s: Sizes): string => task.sizes.map((n) => `${n} ${s[n]}`).join(', ');

// ---- loading ---------------------------------------------------------------------------------------------------------

const withSizes = ({ source, task }: KernelFile, s: Sizes): string =>
  `${source}\n${[...task.sizes, ...task.derived].map((n) => `const ${n} = ${s[n]}u;`).join('\n')}\n`;

/** Throws what the shader compiler says, with the file's own lines. */
async function compile(file: KernelFile, s: Sizes, backend: WebGpuBackend): Promise<void> {
  const { device } = backend;
  device.pushErrorScope('validation');
  const { messages } = await device.createShaderModule({ code: withSizes(file, s) }).getCompilationInfo();
  const invalid = await device.popErrorScope();
  const lines = file.source.split('\n').length;
  const errors = messages
    .filter((m) => m.type === 'error')
    .map((m) =>
      m.lineNum > lines
        ? `${file.path}: ${m.message} (the sizes are declared for the file)`
        : `${file.path}:${m.lineNum}:${m.linePos}: ${m.message}`,
    );
  if (errors.length === 0 && invalid) errors.push(`${file.path}: ${invalid.message}`);
  if (errors.length > 0) throw new LetheError('data', errors.slice(0, 5).join('\n'));
}

function load(file: KernelFile, s: Sizes, program: Program, backend: WebGpuBackend): Executable {
  const names = Object.keys(file.task.operands);
  const result = names.length - 1;
  const bindings = file.bindings.map((name) => {
    const at = names.indexOf(name);
    const kind = at === result ? 'output' : 'input';
    const slot = program.slots.findIndex((x) => x.kind === kind && x.index === (at === result ? 0 : at));
    return { slot, write: at === result };
  });
  const [x, y = 1, z = 1] = file.workgroups.map((e) => e(s));
  for (const n of [x, y, z])
    if (!(Number.isInteger(n) && n >= 1 && n <= MAX_GROUPS))
      throw new LetheError(
        'data',
        `${file.path}: workgroups: expected whole numbers from 1 to ${MAX_GROUPS}, found ${[x, y, z].join(', ')} for ${showSizes(file.task, s)}`,
      );
  const to = new Lowering(program, backend.traits);
  to.add({ label: file.path, source: withSizes(file, s), bindings, groups: x * y * z, dispatch: [x, y, z] });
  return backend.load(to);
}

/** Operands of a task on the device, and a result to fill. */
class Bench {
  readonly data: Float32Array[];
  private readonly inputs;
  private readonly output;
  readonly length: number;
  constructor(
    private readonly backend: WebGpuBackend,
    task: Task,
    s: Sizes,
  ) {
    const shapes = Object.values(task.operands).map((shape) => sizeOf(shape(s)));
    this.length = shapes[shapes.length - 1];
    this.data = shapes.slice(0, -1).map((n, k) => numbers(n, k + 1));
    this.inputs = this.data.map((x) => {
      const buffer = backend.allocate(x.byteLength);
      backend.write(buffer, x);
      return buffer;
    });
    this.output = backend.allocate(this.length * 4);
  }
  run(e: Executable): void {
    this.backend.run(e, this.inputs, [this.output]);
  }
  /** What a run leaves in a result full of NaN: what is not written shows. */
  async result(e: Executable): Promise<Float32Array> {
    this.backend.write(this.output, new Float32Array(this.length).fill(Number.NaN));
    this.run(e);
    const got = (await this.backend.read(this.output, 'float32', this.length)) as Float32Array;
    await this.backend.sync();
    return got;
  }
  free(): void {
    for (const b of [...this.inputs, this.output]) this.backend.free(b);
  }
}

// ---- checking and timing ---------------------------------------------------------------------------------------------

/** By the TypeScript reference. */
async function expected(
  program: Program,
  data: readonly Float32Array[],
  length: number,
): Promise<Float32Array> {
  const reference = createReferenceBackend();
  const inputs = data.map((x) => {
    const buffer = reference.allocate(x.byteLength);
    reference.write(buffer, x);
    return buffer;
  });
  const output = reference.allocate(length * 4);
  reference.run(reference.compile(program), inputs, [output]);
  return (await reference.read(output, 'float32', length)) as Float32Array;
}

function compare(file: KernelFile, s: Sizes, got: Float32Array, want: Float32Array, whose: string): void {
  const { absolute, relative } = file.task.tolerance(s);
  got.forEach((x, i) => {
    const bound = absolute + relative * Math.abs(want[i]);
    if (Math.abs(x - want[i]) <= bound) return;
    throw new LetheError(
      'data',
      `${file.path}: wrong for ${showSizes(file.task, s)}: element ${i} is ${x}, ${whose} ${want[i]}, and they may be ${bound.toPrecision(2)} apart${Number.isNaN(x) ? ' (a NaN may mean that it was not written)' : ''}`,
    );
  });
}

export interface KernelTiming {
  readonly sizes: Sizes;
  readonly ms: number;
  readonly gflops: number;
  readonly gbs: number;
  /** The shortest time the ceilings allow over the time taken. */
  readonly percentOfRoofline: number;
  readonly oursMs: number;
  /** Our time over the file's: above 1, the file is faster. */
  readonly ratio: number;
}
export interface KernelReport {
  readonly file: string;
  readonly primitive: string;
  readonly adapter: string;
  readonly ceilings: Ceilings;
  /** Sizes at which the result is right, against the reference. */
  readonly checked: readonly Sizes[];
  /** Runs on the same numbers gave the same bits. */
  readonly deterministic: boolean;
  readonly timings: readonly KernelTiming[];
}
export interface KernelOptions {
  /** Time these instead; as text, see `parseSizes`. */
  readonly sizes?: readonly string[];
  /** Seconds for each of them. */
  readonly seconds: number;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** What a software adapter does in a reasonable time. */
const SOFTWARE: Work = { flops: 0.3e9, bytes: 20e6 };
const SAMPLES = 5;

/** Errors: 'data' for the file (its head, its shader, a wrong result), 'value' for sizes, else those of `init`. */
export async function benchKernel(
  file: KernelFile,
  { sizes = [], seconds, signal, onLine = () => {} }: KernelOptions,
): Promise<KernelReport> {
  const { task } = file;
  const asked = sizes.map((text) => parseSizes(text, task));
  await lt.init({ device: 'webgpu' });
  const backend = device().backend as WebGpuBackend;
  const named = (values: readonly number[]): Sizes =>
    task.derive(Object.fromEntries(task.sizes.map((name, n) => [name, values[n]])));
  const accepted = (s: Sizes): boolean => file.accepts(s) !== 0;
  const workAt = (s: Sizes): Work => {
    const program = task.program(s);
    const flops = program.instructions.reduce((sum, i) => sum + workOf(program, i).flops, 0);
    const bytes = Object.values(task.operands).reduce((sum, shape) => sum + 4 * sizeOf(shape(s)), 0);
    return { flops, bytes };
  };
  const small = ({ flops, bytes }: Work): boolean =>
    !backend.traits.software || (flops <= SOFTWARE.flops && bytes <= SOFTWARE.bytes);
  const refused = asked.find((s) => !accepted(s));
  if (refused)
    throw new LetheError('value', `sizes: ${file.path} does not accept ${showSizes(task, refused)}`);
  const toCheck = task.checked.map(named).filter(accepted);
  const toTime =
    asked.length > 0 ? asked : task.timed.map(named).filter((s) => accepted(s) && small(workAt(s)));
  if (toTime.length === 0)
    throw new LetheError(
      'value',
      `${file.path}: accepts none of the sizes that are timed; say some with --sizes`,
    );

  /** Runs the file's shader; anything the device says against it is the file's fault. */
  const own = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (cause) {
      await backend.sync().catch(() => {});
      if (cause instanceof LetheError && cause.kind !== 'device') throw cause;
      throw new LetheError('data', `${file.path}: ${(cause as Error).message}`, { cause });
    }
  };
  let deterministic = true;
  for (const s of toCheck) {
    await compile(file, s, backend);
    const program = task.program(s);
    const executable = load(file, s, program, backend);
    const bench = new Bench(backend, task, s);
    const [got, again] = await own(async () => [
      await bench.result(executable),
      await bench.result(executable),
    ]);
    compare(file, s, got, await expected(program, bench.data, bench.length), 'the reference says');
    deterministic &&= got.every((x, i) => Object.is(x, again[i]));
    executable.dispose();
    bench.free();
  }
  onLine(
    `${file.path}: ${file.primitive}, right at ${toCheck.length} of ${task.checked.length} sizes that are checked${
      toCheck.length < task.checked.length ? ', accepts no others' : ''
    }${deterministic ? '' : '; NOT deterministic: two runs differ in bits'}`,
  );
  const ceilings = await backend.ceilings();
  onLine(`${backend.info.adapter}; tuning ${backend.info.tuning}`);
  onLine(`ceilings: ${digits(ceilings.gflops)} GFLOP/s FMA, ${digits(ceilings.triadGBs)} GB/s triad`);
  const timings: KernelTiming[] = [];
  for (const s of toTime) {
    if (signal?.aborted) break;
    await compile(file, s, backend);
    const program = task.program(s);
    const [theirs, ours] = [load(file, s, program, backend), backend.compile(program)];
    const bench = new Bench(backend, task, s);
    const got = await own(() => bench.result(theirs));
    compare(file, s, got, await bench.result(ours), 'our kernel says');
    const times: [number[], number[]] = [[], []];
    const end = performance.now() + seconds * 1000;
    while (times[0].length < SAMPLES || performance.now() < end)
      for (const [n, e] of [theirs, ours].entries())
        times[n].push(await secondsOf(backend, () => bench.run(e)));
    const [mine, other] = times.map(median);
    const work = workAt(s);
    timings.push({
      sizes: s,
      ms: mine * 1000,
      gflops: work.flops / mine / 1e9,
      gbs: work.bytes / mine / 1e9,
      percentOfRoofline: (100 * shortest(work, ceilings)) / mine,
      oursMs: other * 1000,
      ratio: other / mine,
    });
    for (const e of [theirs, ours]) e.dispose();
    bench.free();
  }
  for (const line of timingLines(task, timings)) onLine(line);
  return {
    file: file.path,
    primitive: file.primitive,
    adapter: String(backend.info.adapter),
    ceilings,
    checked: toCheck,
    deterministic,
    timings,
  };
}

function timingLines(task: Task, timings: readonly KernelTiming[]): string[] {
  const rows = timings.map((t) => [
    task.sizes.map((n) => t.sizes[n]).join(' '),
    t.ms.toFixed(3),
    digits(t.gflops),
    digits(t.gbs),
    t.percentOfRoofline.toFixed(0),
    t.oursMs.toFixed(3),
    `${t.ratio.toFixed(2)}x`,
  ]);
  return columns([task.sizes.join(' '), 'ms', 'GFLOP/s', 'GB/s', '% roofline', 'ours ms', 'faster'], rows);
}
