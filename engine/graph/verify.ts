// Checks a planned program the slow way: every value is written before it is read, no two temporaries that are alive
// at once share a byte, everything lies inside the arena and inside its slot, donated memory is dead when it is reused.

import { bytesOf, sizeOf } from '../dtype.ts';
import type { Instruction, Loop, Program } from '../program.ts';
import { loopsOf, readsOf, writesOf } from './touches.ts';

const reads = (i: Instruction): number[] => [...readsOf(i)].map((r) => r.slot);
const writes = (i: Instruction): number[] => [...writesOf(i)].map((w) => w.slot);

export function verifyPlan(program: Program): void {
  const { slots, instructions, arenaBytes, label } = program;
  const fail = (what: string): never => {
    throw new Error(`${label}: ${what}`);
  };
  const written = new Set(slots.flatMap((s, n) => (s.kind === 'input' ? [n] : [])));
  const last = new Map<number, number>();
  instructions.forEach((i, at) => {
    for (const s of reads(i))
      if (!written.has(s)) fail(`instruction ${at} reads slot ${s} before it is written`);
    for (const s of writes(i)) {
      if (written.has(s)) fail(`instruction ${at} writes slot ${s}, which has a value`);
    }
    for (const s of writes(i)) written.add(s);
    for (const s of [...reads(i), ...writes(i)]) last.set(s, at);
    if (new Set(writes(i)).size !== writes(i).length) fail(`instruction ${at} writes a slot twice`);
    for (const b of loopsOf(i)) checkLoop(program, i, b, at, fail);
  });
  slots.forEach((s, n) => {
    if (s.kind === 'output' && !written.has(n)) fail(`output ${s.index} is never written`);
  });

  // Replay: who owns each block of 256 bytes of the arena now?
  const owner = new Map<number, number>();
  const blocks = (n: number): number[] => {
    const { offset, size, dtype } = slots[n];
    const count = Math.max(1, Math.ceil((size * bytesOf(dtype)) / 256));
    if (offset % 256 !== 0 || offset + count * 256 > arenaBytes) fail(`slot ${n} lies outside the arena`);
    return Array.from({ length: count }, (_, k) => offset / 256 + k);
  };
  const temporary = (n: number): boolean => slots[n].kind === 'temporary';
  instructions.forEach((i, at) => {
    for (const s of writes(i).filter(temporary))
      for (const b of blocks(s)) {
        const old = owner.get(b);
        if (old !== undefined && old !== s && (last.get(old) as number) >= at)
          fail(`slots ${old} and ${s} overlap at instruction ${at}`);
        owner.set(b, s);
      }
    for (const s of reads(i).filter(temporary))
      for (const b of blocks(s))
        if (owner.get(b) !== s) fail(`slot ${s} was overwritten before instruction ${at}`);
  });

  for (const [output, input] of program.donations) {
    const out = slots.findIndex((s) => s.kind === 'output' && s.index === output);
    const inn = slots.findIndex((s) => s.kind === 'input' && s.index === input);
    const at = instructions.findIndex((i) => writes(i).includes(out));
    if ((last.get(inn) ?? -1) > at) fail(`output ${output} overwrites input ${input}, which is read later`);
    if (slots[out].size !== slots[inn].size || slots[out].dtype !== slots[inn].dtype)
      fail(`output ${output} does not fit input ${input}`);
  }
}

function checkLoop(
  program: Program,
  i: Instruction,
  b: Loop,
  at: number,
  fail: (what: string) => never,
): void {
  const { slots } = program;
  const size = sizeOf(b.shape);
  const values = b.inputs.length + (i.kind === 'op' && b === i.epilogue ? 1 : 0) + b.steps.length;
  for (const v of b.inputs) {
    if (size === 0) continue;
    let [low, high] = [v.offset, v.offset];
    b.shape.forEach((n, d) => {
      const span = (n - 1) * v.strides[d];
      if (span < 0) low += span;
      else high += span;
    });
    if (low < 0 || high >= slots[v.slot].size) fail(`instruction ${at} reads outside slot ${v.slot}`);
  }
  b.steps.forEach((s, k) => {
    const before = values - b.steps.length + k;
    if (s.args.some((a) => a < 0 || a >= before)) fail(`instruction ${at}: step ${k} uses a later value`);
  });
  for (const s of b.stores) {
    if (s.value < 0 || s.value >= values) fail(`instruction ${at} stores a value that does not exist`);
    if (slots[s.slot].size !== size) fail(`instruction ${at} stores ${size} elements in slot ${s.slot}`);
  }
  for (const r of b.reductions) {
    const kept = sizeOf(b.shape.filter((_, d) => !r.axes.includes(d)));
    if (slots[r.slot].size !== kept) fail(`instruction ${at} reduces to ${kept} elements in slot ${r.slot}`);
  }
}
