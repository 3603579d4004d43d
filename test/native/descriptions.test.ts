// Programs that the engine would never hand to the addon: real ones with numbers, types and names changed. The addon
// refuses them or runs them; it never leaves their memory, changes no operand that was not given away, and does not walk
// over what is empty. LETHE_MUTATIONS and LETHE_FUZZ_SEED ask for more changes, and for others.

import { createRequire } from 'node:module';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend, DeviceBuffer, Executable } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf } from '../../engine/dtype.ts';
import { LetheError } from '../../engine/error.ts';
import { primitives } from '../../engine/primitives/index.ts';
import type { Body, Instruction, Program, RootName, Slot } from '../../engine/program.ts';
import { withBackend } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import { type Addon, createCpuBackend } from '../../native/backend.ts';
import { lower } from '../../native/lower.ts';
import { casesFor } from '../conformance/cases.ts';
import {
  addonPath,
  bodyInstruction,
  broadcastView,
  describeCpu,
  program,
  random,
  rootProgram,
  slot,
  step,
} from './support.ts';

const RUNS = Number(process.env.LETHE_MUTATIONS ?? 3000);
const SEED = Number(process.env.LETHE_FUZZ_SEED ?? 4242);

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as DType });

describeCpu('a description is refused', () => {
  const x = f32(4, 6);
  const instruction = (p: Program, change: Partial<Instruction>): Program => ({
    ...p,
    instructions: p.instructions.map((i) => ({ ...i, ...change })),
  });
  const nowhere = { slot: -1, ...x };
  const body = (more: Partial<Body> = {}): Body => ({
    shape: x.shape,
    inputs: [],
    steps: [step('neg', [0])],
    stores: [{ value: 1, slot: 1 }],
    reductions: [],
    ...more,
  });
  const dot = rootProgram('dot', {}, [f32(4, 6), f32(6, 5)], [f32(4, 5)]);
  const same = f32(4, 4);
  const square = rootProgram('dot', {}, [same, same], [same]);

  it.each<[string, Program, RegExp]>([
    ...(['sum', 'moments', 'argmax', 'cumsum', 'sort', 'gather'] as const).map(
      (root): [string, Program, RegExp] => [
        `an operand of ${root} without a slot`,
        instruction(rootProgram(root, { axes: [1], axis: 1 }, [x], [x, x]), { inputs: [nowhere] }),
        /neither a slot nor a prologue/,
      ],
    ),
    ['a result without a slot', instruction(dot, { outputs: [{ slot: -1, ...f32(4, 5) }] }), /nor a body/],
    [
      'a body after a root that takes none',
      instruction(rootProgram('cumsum', { axis: 0 }, [x], [x]), { body: body() }),
      /only products|two results/,
    ],
    [
      'prologues of a root that takes none',
      instruction(rootProgram('cumsum', { axis: 0 }, [x], [x]), {
        inputs: [nowhere],
        prologues: [body({ steps: [], stores: [], inputs: [broadcastView(0, x, x.shape)] })],
      }),
      /only products/,
    ],
    ['a root without operands', instruction(dot, { inputs: [] }), /lacks an operand/],
    ['a root without results', instruction(dot, { outputs: [] }), /one result|lacks a result/],
    ['more prologues than operands', instruction(dot, { prologues: [null, null, null] }), /more prologues/],
    [
      'operands of a body alone',
      instruction(dot, { root: null, body: body({ inputs: [broadcastView(0, x, x.shape)] }) }),
      /without a root/,
    ],
    [
      'a result where an operand lies',
      program({
        slots: [slot('temporary', same, 0, 0), slot('temporary', same, 0, 0), slot('input', same, 0)],
        arenaBytes: 64,
        instructions: [
          {
            ...square.instructions[0],
            inputs: [0, 2].map((at) => ({ slot: at, ...same })),
            outputs: [{ slot: 1, ...same }],
          },
        ],
      }),
      /overwrites an operand/,
    ],
    [
      'a result where a donated operand lies that is read in another order',
      { ...square, donations: [[0, 0]] },
      /overwrites an operand/,
    ],
    [
      'a result where an operand of a transposing body lies',
      program({
        slots: [slot('input', same, 0), slot('output', same, 0)],
        instructions: [
          bodyInstruction({
            ...body({ shape: same.shape }),
            inputs: [{ slot: 0, dtype: 'float32', offset: 0, strides: [1, 4] }],
          }),
        ],
        donations: [[0, 0]],
      }),
      /overwrites an operand/,
    ],
    [
      'a result for an input',
      instruction(square, {
        outputs: [{ slot: 0, ...same }],
        inputs: [1, 1].map((at) => ({ slot: at, ...same })),
      }),
      /written to an input/,
    ],
    [
      'results that share memory',
      program({
        slots: [slot('input', x, 0), slot('temporary', x, 0, 0), slot('temporary', x, 0, 64)],
        arenaBytes: 512,
        instructions: [
          bodyInstruction({
            ...body({ inputs: [broadcastView(0, x, x.shape)] }),
            stores: [
              { value: 0, slot: 1 },
              { value: 1, slot: 2 },
            ],
          }),
        ],
      }),
      /share memory/,
    ],
    [
      'axes that are too large beside an empty one',
      rootProgram('cumsum', { axis: 0 }, [f32(2 ** 31, 2 ** 31, 0)], [f32(0)]),
      /too many elements/,
    ],
    [
      'too many axes',
      rootProgram('cumsum', { axis: 0 }, [f32(...new Array(65).fill(1))], [f32(1)]),
      /too many axes/,
    ],
    ['a parameter that is no whole number', rootProgram('cumsum', { axis: 0.5 }, [x], [x]), /a fraction/],
    [
      'a parameter that is too large',
      rootProgram('cumsum', { axis: 2 ** 50 }, [x], [x]),
      /a parameter is out of range/,
    ],
  ])('%s', (_, p, message) => {
    expect(() => cpu.compile(p)).toThrow(message);
  });

  it('a buffer for two places, unless it was given away', () => {
    const [a, b] = [cpu.allocate(96), cpu.allocate(96)];
    const p = cpu.compile(rootProgram('cumsum', { axis: 0 }, [x], [x]));
    expect(() => cpu.run(p, [a], [a])).toThrow(/was not given away/);
    cpu.run(p, [a], [b]);
    for (const buffer of [a, b]) cpu.free(buffer);
    p.dispose();
  });
});

// Twice 2^31 steps would be felt.
describeCpu('nothing is walked over', () => {
  const huge = 2 ** 31;
  const index = (...shape: number[]) => ({ shape, dtype: 'int32' as DType });
  const window = {
    size: [1, 1],
    stride: [1, 1],
    padding: [
      [0, 0],
      [0, 0],
    ],
    dilation: [1, 1],
    groups: 1,
  };
  it.each<
    [RootName, Record<string, unknown>, { shape: Shape; dtype: DType }[], { shape: Shape; dtype: DType }[]]
  >([
    ['pad', { low: [0, 0], high: [0, 0], interior: [0, 0] }, [f32(huge, 0)], [f32(huge, 0)]],
    ['concat', { axis: 1 }, [f32(huge, 0), f32(huge, 0)], [f32(huge, 0)]],
    ['concat', { axis: 0 }, [f32(huge, 0), f32(huge, 0)], [f32(2 * huge, 0)]],
    ['iota', { axis: 0 }, [], [f32(huge, 0)]],
    ['sum', { axes: [0] }, [f32(huge, 0)], [f32(0)]],
    ['max', { axes: [1] }, [f32(0, huge)], [f32(0)]],
    ['moments', { axes: [0] }, [f32(huge, 0)], [f32(0), f32(0)]],
    ['argmax', { axis: 0 }, [f32(huge, 0)], [index(0)]],
    ['argmin', { axis: 1 }, [f32(0, huge, 3)], [index(0, 3)]],
    ['cumsum', { axis: 0 }, [f32(huge, 0)], [f32(huge, 0)]],
    ['sort', {}, [f32(huge, 0)], [f32(huge, 0), index(huge, 0)]],
    ['sort', {}, [f32(0, 8)], [f32(0, 8), index(0, 8)]],
    ['gather', { axis: 0 }, [f32(huge, 0), index(4)], [f32(4, 0)]],
    ['scatter', { axis: 1 }, [f32(huge, 0, 0), index(0)], [f32(huge, 5, 0)]],
    ['gatherAlong', { axis: 1 }, [f32(huge, 0), index(huge, 0)], [f32(huge, 0)]],
    ['scatterAlong', { axis: 1 }, [f32(huge, 0), index(huge, 0)], [f32(huge, 0)]],
    ['dot', {}, [f32(huge, 4, 0), f32(huge, 0, 0)], [f32(huge, 4, 0)]],
    ['dot', {}, [f32(0, 4, huge), f32(0, huge, 3)], [f32(0, 4, 3)]],
    ['conv', window, [f32(1, 0, huge, 1, 2), f32(1, 1, 1, 2, 3)], [f32(1, 0, huge, 1, 3)]],
    ['convGradInput', window, [f32(1, 0, huge, 1, 3), f32(1, 1, 1, 2, 3)], [f32(1, 0, huge, 1, 2)]],
    ['convGradWeight', window, [f32(1, 0, huge, 1, 2), f32(1, 0, huge, 1, 3)], [f32(1, 1, 1, 2, 3)]],
    ['maxPool', window, [f32(0, huge, 1, 2)], [f32(0, huge, 1, 2), index(0, huge, 1, 2)]],
    ['sumPool', window, [f32(huge, 1, 1, 0)], [f32(huge, 1, 1, 0)]],
    ['sumPoolTranspose', window, [f32(huge, 1, 1, 0)], [f32(huge, 1, 1, 0)]],
  ])('%s %#', async (root, params, inputs, outputs) => {
    const p = cpu.compile(rootProgram(root, params, inputs, outputs));
    const buffers = [...inputs, ...outputs].map((v) => cpu.allocate(4 * sizeOf(v.shape)));
    cpu.run(p, buffers.slice(0, inputs.length), buffers.slice(inputs.length));
    const result = await cpu.read(buffers[inputs.length], 'float32', sizeOf(outputs[0].shape));
    expect(result.every((v) => v === 0)).toBe(true);
    for (const b of buffers) cpu.free(b);
    p.dispose();
  });
});

// ---- real programs, changed ------------------------------------------------------------------------------------------

/** The backend, and every program it compiles. */
function recording(backend: Backend, programs: Map<string, Program>): Backend {
  const compile = (p: Program): Executable => {
    programs.set(lower(p).join(), p);
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

/** A step of gradient descent on two convolutions and a product: prologues, bodies and donated memory. */
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
  await withBackend(recording(cpu, programs), 'float32', async () => {
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
  else if (key === 'root' && old !== null) holder[key] = pick(next, Object.keys(primitives));
  else if (key === 'op') holder[key] = pick(next, ['add', 'neg', 'select', 'full', 'convert', 'pow']);
  else if (typeof old === 'boolean') holder[key] = !old;
  else if (key === 'body') holder[key] = null;
}

const bodies = (p: Program): Body[] =>
  p.instructions.flatMap((i) => [...(i.prologues ?? []), i.body].filter((b): b is Body => !!b));
/** Whether running it needs little memory and time, if it stays inside its slots. */
const isSmall = (p: Program): boolean =>
  p.inputs + p.outputs < 64 &&
  p.arenaBytes <= 2 ** 22 &&
  p.slots.every((s) => s.size <= 2 ** 16) &&
  bodies(p).every((b) => sizeOf(b.shape) <= 2 ** 16);

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
    const words = (await corpus()).map((p) => lower(p));
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
