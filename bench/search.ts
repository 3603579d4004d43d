// Finds the tiles that are fastest for a product on this adapter. The search starts at what would be taken anyway, at its
// like for other kinds of devices and at what is known from elsewhere, and goes on from the best to its neighbours in the
// space of choices (kernels/choice.ts); where none of those is better, to others from all over it, until time is up.
// Candidates are measured in turn, so that a busy moment hits all of them; what is far behind is dropped at once. None is
// taken that does not give the result the heuristic's kernel gives.

import type { DeviceBuffer, Executable } from '../engine/backend.ts';
import { bytesOf, sizeOf } from '../engine/dtype.ts';
import type { Instruction, Operand, Program } from '../engine/program.ts';
import type { WebGpuBackend } from '../kernels/backend.ts';
import {
  type Choice,
  candidates,
  classOf,
  heuristic,
  type ProductShape,
  steps,
  writeChoice,
} from '../kernels/choice.ts';
import { secondsOf } from '../kernels/clock.ts';
import { lower } from '../kernels/lower.ts';
import { sumTolerance } from './tasks.ts';
import { median } from './text.ts';
import { productFlops } from './work.ts';

/** A product to find a choice for, alone in a program: one of all those that share its class. */
export interface Subject {
  readonly key: string;
  readonly shape: ProductShape;
  readonly program: Program;
}

export interface Tuned {
  readonly key: string;
  readonly choice: string;
  readonly gflop: number;
  readonly ms: number;
  readonly heuristic: string;
  readonly heuristicMs: number;
  /** Candidates measured, and those thrown out for a wrong result or because they did not compile. */
  readonly tried: number;
  readonly refused: readonly string[];
}

const PRODUCTS: ReadonlySet<string> = new Set(['dot', 'conv', 'convGradInput', 'convGradWeight']);

type Operation = Extract<Instruction, { kind: 'op' }>;

/** The product of an instruction as a program of its own, without what is fused to it. */
function alone(i: Operation): Program {
  const { inputs, outputs } = i;
  const operands = [...inputs, ...outputs];
  const at = (o: Operand, slot: number): Operand => ({ ...o, slot });
  return {
    label: `tuning ${i.op}`,
    slots: operands.map((o, n) => ({
      kind: n < inputs.length ? 'input' : 'output',
      dtype: o.dtype,
      size: sizeOf(o.shape),
      index: n < inputs.length ? n : n - inputs.length,
      offset: 0,
    })),
    instructions: [
      {
        ...i,
        inputs: inputs.map(at),
        outputs: outputs.map((o, n) => at(o, inputs.length + n)),
        prologues: [],
        epilogue: null,
      },
    ],
    arenaBytes: 0,
    inputs: inputs.length,
    outputs: outputs.length,
    donations: [],
  };
}

/** With half the images, where that is possible: axis 1 of pictures, which weights do not have. */
function halved(i: Operation): Operation | null {
  const pictures =
    i.op === 'conv' || i.op === 'convGradInput'
      ? [i.inputs[0], i.outputs[0]]
      : i.op === 'convGradWeight'
        ? i.inputs
        : [];
  if (pictures.length === 0 || pictures[0].shape[1] % 2 !== 0) return null;
  const half = (o: Operand): Operand =>
    pictures.includes(o) ? { ...o, shape: o.shape.map((n, d) => (d === 1 ? n / 2 : n)) } : o;
  return { ...i, inputs: i.inputs.map(half), outputs: i.outputs.map(half) };
}

/** The emitters know what shape a product has: they are asked. */
function shapeOf(program: Program, { traits }: WebGpuBackend): ProductShape {
  const seen: ProductShape[] = [];
  lower(program, traits, (shape) => {
    seen.push(shape);
    return undefined;
  });
  return seen[0];
}

/** The products of programs, one of each class, with as few images as the class allows: more take time and change nothing. */
export function subjectsOf(programs: readonly Program[], backend: WebGpuBackend): Subject[] {
  const found = new Map<string, Subject>();
  for (const i of programs.flatMap((p) => p.instructions)) {
    if (i.kind !== 'op' || !PRODUCTS.has(i.op) || productFlops(i) === 0 || i.inputs.some((o) => o.slot < 0))
      continue;
    let [program, smaller] = [alone(i), halved(i)];
    const shape = shapeOf(program, backend);
    const key = classOf(shape);
    if (found.has(key)) continue;
    while (smaller && classOf(shapeOf(alone(smaller), backend)) === key) {
      program = alone(smaller);
      smaller = halved(smaller);
    }
    found.set(key, { key, shape: shapeOf(program, backend), program });
  }
  return [...found.values()];
}

/** Normally distributed enough, and the same every time: sums of four uniform numbers, of variance 1. */
export function numbers(length: number, seed: number): Float32Array {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Float32Array.from({ length }, () => Math.sqrt(3) * (uniform() + uniform() + uniform() + uniform()));
}

interface Candidate {
  readonly choice: Choice;
  readonly text: string;
  readonly executable: Executable;
  readonly seconds: number[];
}

/** How much slower than the best one may be at first sight, and how much faster than the heuristic one must be at last. */
const HOPELESS = 1.3;
const WORTH_IT = 0.97;
const SAMPLES = 5;
/** Samples at first sight, of which the faster counts: one alone may have met a busy moment. */
const LOOKS = 2;
/** Candidates from anywhere that are tried at a time where no neighbour is left. */
const LEAP = 6;
/** A sample takes about so long: shorter ones are lost in the noise. */
const SAMPLE_SECONDS = 0.002;

/** Searches for about `seconds` once the heuristic's choice is measured. `known` are choices from elsewhere that are worth a try. */
export async function tuneProduct(
  backend: WebGpuBackend,
  { key, shape, program }: Subject,
  seconds: number,
  known: readonly Choice[] = [],
): Promise<Tuned> {
  const { traits } = backend;
  const inputs = program.slots.filter((s) => s.kind === 'input');
  const [output] = program.slots.filter((s) => s.kind === 'output');
  const buffers: DeviceBuffer[] = inputs.map(({ size, dtype }, n) => {
    const buffer = backend.allocate(size * bytesOf(dtype));
    backend.write(buffer, numbers(size, n + 1), dtype);
    return buffer;
  });
  const result = backend.allocate(output.size * bytesOf(output.dtype));
  const live = new Set<Executable>();
  const refused: string[] = [];
  let want: Float32Array | null = null;
  let tried = 0;

  const drop = (executable: Executable): void => {
    executable.dispose();
    live.delete(executable);
  };
  const nothing = new Float32Array(output.size).fill(Number.NaN);
  /** Compiles, runs once into a result full of NaN and compares; null if anything is wrong with it. */
  const load = async (choice: Choice): Promise<Candidate | null> => {
    const text = writeChoice(choice);
    const executable = backend.load(lower(program, traits, () => choice));
    live.add(executable);
    tried++;
    try {
      backend.write(result, nothing, output.dtype);
      backend.run(executable, buffers, [result]);
      const got = (await backend.read(result, output.dtype, output.size)) as Float32Array;
      await backend.sync();
      want ??= got;
      const { absolute, relative } = sumTolerance(shape.depth);
      // A result in half precision may fall to either neighbour.
      const unit = relative + (shape.dtype === 'float16' ? 2 ** -10 : 0);
      const reference = want;
      const wrong = got.findIndex((x, i) => !(Math.abs(x - reference[i]) <= absolute + unit * Math.abs(x)));
      if (wrong < 0) return { choice, text, executable, seconds: [] };
      refused.push(`${text}: element ${wrong} is ${got[wrong]}, not ${reference[wrong]}`);
    } catch (cause) {
      await backend.sync().catch(() => {});
      if (want === null) throw cause;
      refused.push(`${text}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    drop(executable);
    return null;
  };
  let runs = 1;
  const sample = async (c: Candidate): Promise<void> => {
    const seconds = await secondsOf(backend, () => {
      for (let n = 0; n < runs; n++) backend.run(c.executable, buffers, [result]);
    });
    c.seconds.push(seconds / runs);
  };
  const time = (c: Candidate): number => median(c.seconds);
  const fastest = (c: Candidate): number => Math.min(...c.seconds);

  try {
    const start = (await load(heuristic(shape, traits))) as Candidate;
    await sample(start);
    runs = Math.max(1, Math.min(100, Math.ceil(SAMPLE_SECONDS / Math.max(1e-6, time(start)))));
    start.seconds.length = 0;
    for (let n = 0; n < LOOKS; n++) await sample(start);
    const end = performance.now() + seconds * 1000;
    const space = candidates(shape, traits);
    const seen = new Set([start.text]);
    let best: Candidate = start;
    const fresh = (choices: readonly Choice[]): Choice[] =>
      choices.filter((c) => {
        const text = writeChoice(c);
        return !seen.has(text) && seen.add(text);
      });
    const unseen = (): Choice[] => scattered(space).filter((c) => !seen.has(writeChoice(c)));
    const others = heuristic(shape, { ...traits, software: !traits.software });
    const legal = new Set(space.map(writeChoice));
    let next = fresh([...known, others, ...seeds(space)].filter((c) => legal.has(writeChoice(c))));
    while (next.length > 0 && performance.now() < end) {
      const round: Candidate[] = [];
      for (const choice of next) {
        if (performance.now() >= end) break;
        const c = await load(choice);
        if (c === null) continue;
        for (let n = 0; n < LOOKS; n++) await sample(c);
        if (fastest(c) <= HOPELESS * fastest(best)) round.push(c);
        else drop(c.executable);
      }
      for (let n = LOOKS; n < SAMPLES; n++) for (const c of [best, ...round]) await sample(c);
      const before = best;
      for (const c of round) if (time(c) < time(best)) best = c;
      for (const c of [before, ...round]) if (c !== best && c !== start) drop(c.executable);
      next = fresh(space.filter((c) => steps(c, best.choice) === 1));
      if (next.length === 0) next = fresh(unseen().slice(0, LEAP));
    }
    // The last word: the best against what would be taken anyway, in turn.
    for (const c of [start, best]) c.seconds.length = 0;
    for (let n = 0; n < 2 * SAMPLES; n++)
      for (const c of best === start ? [start] : [start, best]) await sample(c);
    if (time(best) > WORTH_IT * time(start)) best = start;
    return {
      key,
      choice: best.text,
      gflop: productFlops(program.instructions[0]) / 1e9,
      ms: time(best) * 1000,
      heuristic: start.text,
      heuristicMs: time(start) * 1000,
      tried,
      refused,
    };
  } finally {
    for (const e of live) e.dispose();
    for (const b of [...buffers, result]) backend.free(b);
  }
}

/** In an order that leaps about the space, the same every time. */
function scattered(space: readonly Choice[]): Choice[] {
  const key = (text: string): number =>
    [...text].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 16777619), 2166136261);
  return [...space].sort((a, b) => key(writeChoice(a)) - key(writeChoice(b)));
}

/** One of each kind of tile, from the middle of its part of the space, undivided. */
function seeds(space: readonly Choice[]): Choice[] {
  const kinds = new Map<string, Choice[]>();
  for (const c of space.filter((s) => s.parts === 1)) {
    const kind = writeChoice(c).split(' ')[0];
    kinds.set(kind, [...(kinds.get(kind) ?? []), c]);
  }
  return [...kinds.values()].map((list) => list[Math.floor(list.length / 2)]);
}
