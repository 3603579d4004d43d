// Programs that the engine would never hand to the addon: real ones with numbers, types and names changed. The addon
// refuses them or runs them; it never leaves their memory and changes no operand that was not given away. LETHE_MUTATIONS
// and LETHE_FUZZ_SEED ask for more changes, and for others.

import { createRequire } from 'node:module';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend, DeviceBuffer, Executable } from '../../engine/backend.ts';
import { Device } from '../../engine/device.ts';
import { type DType, sizeOf } from '../../engine/dtype.ts';
import { LetheError } from '../../engine/error.ts';
import { loopsOf } from '../../engine/graph/touches.ts';
import { primitives } from '../../engine/primitives/index.ts';
import type { Program, Slot } from '../../engine/program.ts';
import { withDevice } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import { type Addon, createCpuBackend } from '../../native/backend.ts';
import { encode } from '../../native/encode.ts';
import { casesFor } from '../conformance/cases.ts';
import { addonPath, describeCpu, random } from './support.ts';

const RUNS = Number(process.env.LETHE_MUTATIONS ?? 3000);
const SEED = Number(process.env.LETHE_FUZZ_SEED ?? 4242);

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

/** The backend, and every program it compiles. */
function recording(backend: Backend, programs: Map<string, Program>): Backend {
  const compile = (p: Program): Executable => {
    programs.set(encode(p).join(), p);
    return backend.compile(p);
  };
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'compile') return compile;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A step of gradient descent on two convolutions and a product: prologues, loops and donated memory. */
const descent = (): ((...xs: lt.Tensor[]) => lt.Tensor[]) => {
  const loss = (v: lt.Tensor, w: lt.Tensor, u: lt.Tensor, x: lt.Tensor): lt.Tensor => {
    const a = lt.relu(lt.batchNorm(lt.conv2d(x, v, { padding: 1 })).output);
    const b = lt.tanh(lt.conv2d(a, w, { padding: 1, stride: 2 }));
    return lt
      .matmul(lt.reshape(b, [2, -1]), u)
      .square()
      .sum();
  };
  const gradient = lt.grad(loss, [0, 1, 2]);
  return lt.jit(
    (...[v, w, u, x]: lt.Tensor[]) => {
      const gradients = gradient(v, w, u, x);
      return [v, w, u].map((p, k) => lt.sub(p, lt.mul(gradients[k], 0.1)));
    },
    { donate: [0, 1, 2] },
  );
};

async function corpus(): Promise<Program[]> {
  const programs = new Map<string, Program>();
  const finish = (ys: readonly lt.Tensor[]) => Promise.all(ys.map((y) => y.data()));
  await withDevice(new Device(recording(cpu, programs)), async () => {
    for (const [name, p] of Object.entries(primitives)) {
      for (const c of casesFor(name, p).filter(({ what }) => /, (value|gradient)$/.test(what))) {
        const { f, xs } = c.build('float32');
        const compiled = lt.jit((...args: lt.Tensor[]) => f(args));
        await finish([...f(xs), ...compiled(...xs)]);
        compiled.dispose();
      }
    }
    const shapes = [
      [3, 3, 4, 6],
      [3, 3, 6, 5],
      [60, 3],
      [2, 8, 6, 4],
    ];
    await finish(descent()(...shapes.map((shape, k) => lt.random.normal(lt.random.key(k), shape))));
  });
  return [...programs.values()];
}

type Random = () => number;
const below = (next: Random, n: number): number => Math.floor(next() * n);
const pick = <T>(next: Random, from: readonly T[]): T => from[below(next, from.length)];

/** Somewhere a program can be changed. */
interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}
function* places(value: unknown, holder?: Record<string, unknown>, key = ''): Iterable<Place> {
  if (holder && key !== 'label') yield { holder, key };
  if (typeof value === 'object' && value !== null)
    for (const [k, inside] of Object.entries(value))
      yield* places(inside, value as Record<string, unknown>, k);
}

const DTYPES: readonly DType[] = ['float32', 'int32', 'uint32', 'bool'];
const SPECIAL = [
  -1,
  0,
  1,
  2,
  3,
  16,
  2 ** 20,
  2 ** 31,
  2 ** 32,
  2 ** 45,
  2 ** 46,
  2 ** 53,
  -(2 ** 31),
  0.5,
  Number.NaN,
];

/** Changes one place of a program; numbers to others of the same program as well, so that much of it stays possible. */
function change(p: Program, next: Random): void {
  const all = [...places(p)];
  const { holder, key } = pick(next, all);
  const old = holder[key];
  if (typeof old === 'number') {
    const others = all.map((at) => at.holder[at.key]).filter((v): v is number => typeof v === 'number');
    holder[key] = pick(next, [pick(next, SPECIAL), pick(next, others), old + 1, old - 1, -old]);
  } else if (Array.isArray(old) && old.length > 0) {
    const at = below(next, old.length);
    if (next() < 0.5) old.splice(at, 1);
    else old.splice(at, 0, structuredClone(pick(next, old)));
  } else if (key === 'dtype') holder[key] = pick(next, DTYPES);
  else if (key === 'op' && 'params' in holder) holder[key] = pick(next, Object.keys(primitives));
  else if (key === 'op') holder[key] = pick(next, ['add', 'neg', 'select', 'full', 'convert', 'pow']);
  else if (typeof old === 'boolean') holder[key] = !old;
  else if (key === 'epilogue') holder[key] = null;
}

/** Whether running it needs little memory and time, if it stays inside its slots. */
const isSmall = (p: Program): boolean =>
  p.inputs + p.outputs < 64 &&
  p.arenaBytes <= 2 ** 22 &&
  p.slots.every((s) => s.size <= 2 ** 16) &&
  p.instructions.flatMap(loopsOf).every((b) => sizeOf(b.shape) <= 2 ** 16);

/** Runs it on memory that is exactly as large as its slots, and looks whether its operands are what they were. */
async function runOnce(executable: Executable, next: Random): Promise<void> {
  const p = executable.program;
  const sizes = (kind: Slot['kind'], n: number): number[] =>
    Array.from({ length: n }, (_, index) =>
      p.slots.reduce((most, s) => (s.kind === kind && s.index === index ? Math.max(most, s.size) : most), 0),
    );
  const data = sizes('input', p.inputs).map((n) => Int32Array.from({ length: n }, () => below(next, 9) - 1));
  const inputs = data.map((d) => cpu.allocate(d.byteLength));
  inputs.forEach((b, k) => {
    cpu.write(b, data[k]);
  });
  const given = new Map(p.donations.map(([o, i]) => [o, i]));
  const own: DeviceBuffer[] = [];
  const outputs = sizes('output', p.outputs).map((n, o) => {
    const i = given.get(o);
    if (i !== undefined && data[i].length >= n) return inputs[i];
    own.push(cpu.allocate(n * 4));
    return own[own.length - 1];
  });
  try {
    cpu.run(executable, inputs, outputs);
    await cpu.sync();
  } catch (error) {
    expect(error).toBeInstanceOf(LetheError);
  }
  const kept = inputs.filter((b) => !outputs.includes(b));
  const after = await Promise.all(kept.map((b) => cpu.read(b, 'int32', b.bytes / 4)));
  after.forEach((d, k) => {
    if (Buffer.compare(Buffer.from(d.buffer), Buffer.from(data[inputs.indexOf(kept[k])].buffer)) !== 0)
      throw new Error(`${p.label}: an operand was changed`);
  });
  for (const b of [...inputs, ...own]) cpu.free(b);
}

describeCpu('a real program that was changed', () => {
  it('is refused, or runs within its memory', async () => {
    const programs = await corpus();
    const next = random(SEED);
    const count = { refused: 0, ran: 0, large: 0 };
    for (let k = 0; k < RUNS; k++) {
      const p = structuredClone(pick(next, programs));
      for (let n = 1 + below(next, 3); n > 0; n--) change(p, next);
      let executable: Executable;
      try {
        executable = cpu.compile(p);
      } catch {
        // By the addon, or by what writes descriptions for it, which never meets the like.
        count.refused++;
        continue;
      }
      count[isSmall(p) ? 'ran' : 'large']++;
      if (isSmall(p)) await runOnce(executable, next);
      executable.dispose();
    }
    if (process.env.LETHE_MUTATIONS) console.log(programs.length, 'programs', count);
    expect(programs.length).toBeGreaterThan(300);
    expect(count.ran).toBeGreaterThan(RUNS / 20);
    expect(count.refused).toBeGreaterThan(RUNS / 4);
  });

  it('number by number is refused or compiles', async () => {
    const words = (await corpus()).map((p) => encode(p));
    const next = random(SEED + 1);
    const runtime = new (createRequire(import.meta.url)(addonPath) as Addon).Runtime(1);
    let refused = 0;
    for (let k = 0; k < RUNS; k++) {
      const numbers = [...pick(next, words)];
      for (let n = 1 + below(next, 3); n > 0; n--) {
        const at = below(next, numbers.length);
        if (next() < 0.8)
          numbers[at] = pick(next, [pick(next, SPECIAL), pick(next, numbers), numbers[at] + 1]);
        else numbers.splice(at, below(next, 3));
      }
      try {
        runtime.dispose(runtime.compile('changed', Float64Array.from(numbers)));
      } catch (error) {
        expect((error as Error).message).toMatch(/^[a-z][^\n]+[a-z0-9]$/);
        refused++;
      }
    }
    runtime.close();
    expect(refused).toBeGreaterThan(RUNS / 4);
  });
});
