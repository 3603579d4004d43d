// What has to hold for a planned program: every value is written once, before it is read; no two temporaries that are alive
// at once share a byte; everything lies inside the arena and inside its slot; memory that was given away is dead where it is
// written, or read in step. Cheap enough for every program of the tests, and off elsewhere.

import { bytesOf, type Shape, sizeOf } from '../dtype.ts';
import type { Instruction, Loop, Program, Rows, View } from '../program.ts';
import { keptOf, lengthOf } from './dense.ts';
import { isInPlace } from './memory.ts';
import { argumentsOf } from './row-values.ts';
import { loopsOf, slotOf, slotsRead, slotsWritten } from './touches.ts';

/** Is every pass to be checked? LETHE_VERIFY=1 says so: in the tests, and for who changes a pass. */
export const verifies = (): boolean =>
  (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.LETHE_VERIFY ===
  '1';

type Check = (ok: boolean, what: () => string) => void;

export function verifyProgram(program: Program): void {
  const check: Check = (ok, what) => {
    if (!ok) throw new Error(`${program.label}: ${what()}`);
  };
  checkOrder(program, check);
  program.instructions.forEach((i, at) => {
    for (const l of loopsOf(i)) checkLoop(program, i, l, at, check);
    if (i.kind === 'rows') checkRows(program, i.rows, at, check);
  });
  checkArena(program, check);
  checkDonations(program, check);
}

function checkOrder({ slots, instructions }: Program, check: Check): void {
  const written = new Set(slots.flatMap((s, n) => (s.kind === 'input' ? [n] : [])));
  instructions.forEach((i, at) => {
    for (const s of slotsRead(i))
      check(written.has(s), () => `instruction ${at} reads slot ${s} before it is written`);
    for (const s of slotsWritten(i)) {
      check(!written.has(s), () => `instruction ${at} writes slot ${s}, which has a value`);
      written.add(s);
    }
  });
  slots.forEach((s, n) => {
    check(s.kind !== 'output' || written.has(n), () => `output ${s.index} is never written`);
  });
}

function checkView(program: Program, v: View, shape: Shape, at: number, check: Check): void {
  if (sizeOf(shape) === 0) return;
  let [low, high] = [v.offset, v.offset];
  shape.forEach((n, d) => {
    const span = (n - 1) * v.strides[d];
    if (span < 0) low += span;
    else high += span;
  });
  const { size } = program.slots[v.slot];
  check(low >= 0 && high < size, () => `instruction ${at} reads outside slot ${v.slot}`);
}

function checkLoop(program: Program, i: Instruction, l: Loop, at: number, check: Check): void {
  const { slots } = program;
  const before = l.inputs.length + (i.kind === 'op' && l === i.epilogue ? 1 : 0);
  const values = before + l.steps.length;
  const exists = (v: number): boolean => v >= 0 && v < values;
  for (const v of l.inputs) checkView(program, v, l.shape, at, check);
  l.steps.forEach((s, k) => {
    const ok = s.args.every((a) => a >= 0 && a < before + k);
    check(ok, () => `instruction ${at}: step ${k} uses a later value`);
  });
  const size = sizeOf(l.shape);
  for (const s of l.stores) {
    check(exists(s.value), () => `instruction ${at} stores a value that does not exist`);
    check(slots[s.slot].size === size, () => `instruction ${at} stores ${size} elements in slot ${s.slot}`);
  }
  for (const r of l.reductions) {
    const kept = sizeOf(keptOf({ shape: l.shape, axes: r.axes }));
    check(exists(r.value), () => `instruction ${at} reduces a value that does not exist`);
    check(
      slots[r.slot].size === kept,
      () => `instruction ${at} reduces to ${kept} elements in slot ${r.slot}`,
    );
  }
}

function checkRows(program: Program, rows: Rows, at: number, check: Check): void {
  const { shape, values, stores, columns } = rows;
  values.forEach((v, n) => {
    const args = argumentsOf(v);
    const earlier = args.every((a) => a >= 0 && a < n);
    check(earlier, () => `instruction ${at}: value ${n} of rows uses a later one`);
    const known = Math.max(0, ...args.map((a) => values[a].pass)) + (v.kind === 'reduction' ? 1 : 0);
    check(v.pass === known, () => `instruction ${at}: value ${n} of rows is not known in pass ${v.pass}`);
    if (v.kind === 'load') checkView(program, v.view, shape, at, check);
  });
  const checkSize = (slot: number, size: number): void =>
    check(
      program.slots[slot].size === size,
      () => `instruction ${at} stores ${size} elements in slot ${slot}`,
    );
  for (const { slot, value, whole } of stores) {
    check(whole || values[value].perRow, () => `instruction ${at} stores elements as values of rows`);
    checkSize(slot, sizeOf(whole ? shape : keptOf(rows)));
  }
  for (const { slot, value } of columns) {
    check(!values[value].perRow, () => `instruction ${at} adds up values of rows as elements`);
    checkSize(slot, lengthOf(rows));
  }
}

function checkArena({ slots, instructions, arenaBytes }: Program, check: Check): void {
  // Else the backend places temporaries, if there are any.
  if (arenaBytes === 0) return;
  const last = new Map<number, number>();
  instructions.forEach((i, at) => {
    for (const s of [...slotsRead(i), ...slotsWritten(i)]) last.set(s, at);
  });
  const endOf = (n: number): number => slots[n].offset + slots[n].size * bytesOf(slots[n].dtype);
  let alive: number[] = [];
  instructions.forEach((i, at) => {
    for (const s of slotsWritten(i)) {
      if (slots[s].kind !== 'temporary') continue;
      const inside = slots[s].offset % 256 === 0 && endOf(s) <= arenaBytes;
      check(inside, () => `slot ${s} lies outside the arena`);
      for (const o of alive) {
        const apart = endOf(o) <= slots[s].offset || endOf(s) <= slots[o].offset;
        check(apart, () => `slots ${o} and ${s} overlap at instruction ${at}`);
      }
      alive.push(s);
    }
    alive = alive.filter((s) => (last.get(s) as number) > at);
  });
}

function checkDonations({ slots, instructions, donations }: Program, check: Check): void {
  for (const [output, input] of donations) {
    const out = slotOf(slots, 'output', output);
    const inn = slotOf(slots, 'input', input);
    const at = instructions.findIndex((i) => slotsWritten(i).includes(out));
    const last = instructions.findLastIndex((i) => slotsRead(i).includes(inn));
    check(last <= at, () => `output ${output} overwrites input ${input}, which is read later`);
    check(
      last < at || isInPlace(instructions[at], out, inn),
      () => `output ${output} overwrites input ${input}, which is read in another order`,
    );
    const fits = slots[out].size === slots[inn].size && slots[out].dtype === slots[inn].dtype;
    check(fits, () => `output ${output} does not fit input ${input}`);
  }
}
