// Which instructions of a program work on the same rows and become one kernel: softmax, normalisation with its
// statistics, the losses, and whatever else reduces rows and goes on with the results along them. A row is the part of
// a domain that reductions run over; instructions belong together where one reads what another wrote, element for
// element or one value for the whole row. Nothing here knows softmax: it is found as any other chain. The kernel
// itself, a phase for each reduction that waits for another one, is written in phases.ts.

import { bytesOf, type DType, sizeOf } from '../engine/dtype.ts';
import type { Instruction, Loop, Program, Reduction, Step, View } from '../engine/program.ts';
import { rowMajor, valueTypes } from './loop.ts';
import type { Lowering } from './lowering.ts';
import { emitPhases } from './phases.ts';
import { loopsOf, type Reduced } from './reduce.ts';

/** A domain without its axes of size 1, and which of the others make the row. The last one does. */
interface Rows {
  readonly sizes: readonly number[];
  readonly gone: readonly number[];
}

interface Value {
  readonly dtype: DType;
  /** One for the whole row, not one for each element. */
  readonly perRow: boolean;
  /** The phase it can be computed in: reductions are known in the phase after the one that they run in. */
  readonly phase: number;
}
interface Load extends Value {
  readonly kind: 'load';
  readonly view: View;
}
interface Computed extends Value {
  readonly kind: 'step';
  readonly step: Step;
}
export interface Reduce extends Value {
  readonly kind: 'reduce';
  readonly op: Reduction['op'];
  readonly value: number;
  /** The type of what is reduced. */
  readonly from: DType;
  readonly divisor: number;
}
/** A value in a kernel. Arguments come before what they are used for. */
type Node = Load | Computed | Reduce;

interface RowStore {
  readonly slot: number;
  readonly node: number;
  /** An element each, not one for the row. */
  readonly whole: boolean;
  /** Over memory that the kernel also reads: only in its last pass. */
  readonly late: boolean;
}

export interface RowWork {
  readonly rows: Rows;
  readonly nodes: readonly Node[];
  readonly stores: readonly RowStore[];
}

export const keptOf = ({ sizes, gone }: Rows): number[] => sizes.filter((_, d) => !gone.includes(d));
export const lengthOf = ({ sizes, gone }: Rows): number => sizeOf(gone.map((d) => sizes[d]));

// ---- one instruction -------------------------------------------------------------------------------------------------

/** A loop without axes of size 1. */
function squeezed(loop: Reduced): Reduced {
  const real = loop.shape.flatMap((n, d) => (n === 1 ? [] : [d]));
  const at = (axes: readonly number[]): number[] => axes.map((d) => real.indexOf(d)).filter((d) => d >= 0);
  return {
    ...loop,
    shape: real.map((d) => loop.shape[d]),
    inputs: loop.inputs.map((v) => ({ ...v, strides: real.map((d) => v.strides[d]) })),
    reductions: loop.reductions.map((r) => ({ ...r, axes: at(r.axes) })),
  };
}

/** An instruction as loops over rows; null for one that is nothing of the kind. */
function workOf(
  i: Instruction,
  to: Lowering,
): { readonly loops: readonly Reduced[]; readonly rows: Rows | null } | null {
  const loops = loopsOf(i, to)
    ?.flatMap((b) => (b.after ? [b, b.after] : [b]))
    .map(squeezed);
  if (!loops || loops.some((b) => sizeOf(b.shape) === 0)) return null;
  const [{ shape, reductions }] = loops;
  if (reductions.length === 0) return { loops, rows: null };
  const [{ axes: gone }] = reductions;
  if (gone.length > 0 ? !gone.includes(shape.length - 1) : shape.length > 0) return null;
  return { loops, rows: { sizes: shape, gone } };
}

// ---- several as one --------------------------------------------------------------------------------------------------

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, d) => x === b[d]);

/** Strides over the domain of what has one element for each row. */
function rowStrides(rows: Rows): number[] {
  const dense = rowMajor(keptOf(rows));
  let next = 0;
  return rows.sizes.map((_, d) => (rows.gone.includes(d) ? 0 : dense[next++]));
}

/** The instructions' work as values of rows, or null where they cannot be one kernel. `inside`: slots nobody else reads. */
function joined(
  loops: readonly Reduced[],
  rows: Rows,
  inside: (slot: number) => boolean,
  to: Lowering,
): RowWork | null {
  const { sizes, gone } = rows;
  const kept = keptOf(rows);
  const [wholeStrides, perRowStrides] = [rowMajor(sizes), rowStrides(rows)];
  const nodes: Node[] = [];
  const known = new Map<string, number>();
  const add = (key: string, node: () => Node): number => {
    let n = known.get(key);
    if (n === undefined) {
      n = nodes.push(node()) - 1;
      known.set(key, n);
    }
    return n;
  };
  const written = new Map<number, { node: number; whole: boolean }>();
  for (const loop of loops) {
    const whole = same(loop.shape, sizes);
    if (!whole && !(same(loop.shape, kept) && loop.reductions.length === 0)) return null;
    if (loop.reductions.some((r) => !same(r.axes, gone))) return null;
    const values: number[] = [];
    for (const v of loop.inputs) {
      let { strides } = v;
      if (!whole) {
        let next = 0;
        strides = sizes.map((_, d) => (gone.includes(d) ? 0 : v.strides[next++]));
      }
      const own = written.get(v.slot);
      if (own) {
        if (v.offset !== 0 || !same(strides, own.whole ? wholeStrides : perRowStrides)) return null;
        values.push(own.node);
      } else
        values.push(
          add(`${v.slot} ${v.offset} ${strides}`, () => ({
            kind: 'load',
            view: { ...v, strides },
            dtype: v.dtype,
            perRow: gone.every((d) => strides[d] === 0),
            phase: 0,
          })),
        );
    }
    for (const s of loop.steps) {
      const args = s.args.map((a) => values[a]);
      values.push(
        add(`${s.op} ${s.dtype} ${args} ${Object.is(s.value, -0) ? '-0' : s.value}`, () => ({
          kind: 'step',
          step: { ...s, args },
          dtype: s.dtype,
          perRow: args.every((a) => nodes[a].perRow),
          phase: Math.max(0, ...args.map((a) => nodes[a].phase)),
        })),
      );
    }
    const types = valueTypes(loop, null);
    for (const s of loop.stores) written.set(s.slot, { node: values[s.value], whole });
    for (const r of loop.reductions) {
      const value = values[r.value];
      const { divisor = 1 } = loop;
      const { dtype } = to.slots[r.slot];
      const node = add(`reduce ${r.op} ${dtype} ${value} ${divisor}`, () => ({
        kind: 'reduce',
        op: r.op,
        value,
        from: types[r.value],
        divisor,
        dtype,
        perRow: true,
        phase: nodes[value].phase + 1,
      }));
      written.set(r.slot, { node, whole: false });
    }
  }
  const stores = [...written].filter(([slot]) => !inside(slot));
  return limited(
    rows,
    nodes,
    stores.map(([slot, s]) => ({ ...s, slot, late: false })),
    to,
  );
}

export const argumentsOf = (node: Node): readonly number[] =>
  node.kind === 'step' ? node.step.args : node.kind === 'reduce' ? [node.value] : [];

/** Without what no store needs; null where the device cannot bind what is left, or memory would be overwritten too early. */
function limited(
  rows: Rows,
  nodes: readonly Node[],
  stores: readonly RowStore[],
  to: Lowering,
): RowWork | null {
  const needed = new Set(stores.map((s) => s.node));
  for (let n = nodes.length - 1; n >= 0; n--)
    if (needed.has(n)) for (const a of argumentsOf(nodes[n])) needed.add(a);
  const order = [...needed].sort((a, b) => a - b);
  const renumbered = new Map(order.map((n, k) => [n, k]));
  const at = (n: number): number => renumbered.get(n) as number;
  const live = order.map((n): Node => {
    const node = nodes[n];
    if (node.kind === 'step') return { ...node, step: { ...node.step, args: node.step.args.map(at) } };
    return node.kind === 'reduce' ? { ...node, value: at(node.value) } : node;
  });
  const loads = live.flatMap((node) => (node.kind === 'load' ? [node.view] : []));
  const slots = [...loads, ...stores].map((x) => x.slot);
  const fits = ({ size, dtype }: { size: number; dtype: DType }): boolean =>
    size * bytesOf(dtype) <= to.traits.bindingBytes;
  if (new Set(slots.map(to.place)).size > to.traits.storageBuffers || !slots.every((s) => fits(to.slots[s])))
    return null;
  const dense = rowMajor(rows.sizes);
  const placed: RowStore[] = [];
  for (const s of stores) {
    const over = loads.filter((v) => to.place(v.slot) === to.place(s.slot));
    if (over.some((v) => !s.whole || v.offset !== 0 || !same(v.strides, dense))) return null;
    placed.push({ ...s, node: at(s.node), late: over.length > 0 });
  }
  return { rows, nodes: live, stores: placed };
}

// ---- a program -------------------------------------------------------------------------------------------------------

/**
 * A workgroup does a row alone. With rows for a good part of the device's cores that keeps it busy; and a row that is
 * read within the time that it takes to start another kernel is better done by one workgroup than by two kernels.
 * Beyond that, few and long rows are cut into pieces by kernels of their own (reduce.ts).
 */
const BUSY = { hardware: 256, software: 16 } as const;
const SHORT = 16384;
function worthIt(rows: Rows, { traits }: Lowering): boolean {
  const busy = traits.software ? BUSY.software : BUSY.hardware;
  return sizeOf(keptOf(rows)) >= busy || lengthOf(rows) <= SHORT;
}

/** What becomes one piece of the lowered program: an instruction, or several with their work on rows. */
interface Unit {
  readonly members: readonly number[];
  readonly rows: Rows | null;
  readonly work: RowWork | null;
}

/** Instructions in an order that respects what they read and write, those that become row kernels together. */
function unitsOf(program: Program, to: Lowering): Unit[] {
  const { instructions } = program;
  const works = instructions.map((i) => workOf(i, to));
  const touched = instructions.map((i) => touches(i, to));
  const readers = new Map<number, number[]>();
  instructions.forEach((i, n) => {
    for (const slot of readsOf(i)) readers.set(slot, [...(readers.get(slot) ?? []), n]);
  });
  const units: Unit[] = [];
  const unitOf = new Map<number, Unit>();
  const put = (unit: Unit): void => {
    units.push(unit);
    for (const m of unit.members) unitOf.set(m, unit);
  };
  const writers = new Map<number, number>();

  /** May what comes before be done as late as what comes after all that is there? */
  const canWait = (unit: Unit): boolean => {
    for (let at = units.length - 1; units[at] !== unit; at--) {
      for (const m of unit.members)
        for (const other of units[at].members) {
          const [a, b] = [touched[m], touched[other]];
          const meet = (x: ReadonlySet<number>, y: ReadonlySet<number>): boolean =>
            [...x].some((p) => y.has(p));
          if (meet(a.writes, b.reads) || meet(a.reads, b.writes) || meet(a.writes, b.writes)) return false;
        }
    }
    return true;
  };
  const worked = (members: readonly number[], rows: Rows): RowWork | null => {
    const set = new Set(members);
    const inside = (slot: number): boolean =>
      to.slots[slot].kind === 'temporary' && (readers.get(slot) ?? []).every((n) => set.has(n));
    return joined(
      members.flatMap((m) => works[m]?.loops ?? []),
      rows,
      inside,
      to,
    );
  };

  instructions.forEach((i, n) => {
    const own = works[n];
    let home: Unit = { members: [n], rows: own?.rows ?? null, work: null };
    // Two passes over the same numbers: worth a kernel of rows by itself.
    if (i.kind === 'op' && i.op === 'moments' && home.rows && worthIt(home.rows, to))
      home = { ...home, work: worked([n], home.rows) };
    if (own) {
      const sources = new Set([...touched[n].reads].flatMap((p) => unitOf.get(writers.get(p) ?? -1) ?? []));
      for (const unit of [...sources].sort((a, b) => units.indexOf(b) - units.indexOf(a))) {
        const rows = home.rows ?? unit.rows;
        if (!rows || !worthIt(rows, to) || unit.members.some((m) => works[m] === null)) continue;
        if (units.length - units.indexOf(unit) > NEAR || !canWait(unit)) continue;
        const members = [...unit.members, ...home.members].sort((a, b) => a - b);
        const work = worked(members, rows);
        if (work === null) continue;
        units.splice(units.indexOf(unit), 1);
        home = { members, rows, work };
      }
    }
    put(home);
    for (const p of touched[n].writes) writers.set(p, n);
  });
  return units;
}

/** How many units back a piece of work is looked for: beyond that it would keep memory for too long. */
const NEAR = 64;

function* readsOf(i: Instruction): Iterable<number> {
  if (i.kind === 'op') for (const o of i.inputs) if (o.slot >= 0) yield o.slot;
  for (const b of i.kind === 'op' ? [...i.prologues, i.epilogue] : [i.loop])
    for (const v of b?.inputs ?? []) yield v.slot;
}
/** The memory that an instruction reads and writes. */
function touches(i: Instruction, to: Lowering): { reads: ReadonlySet<number>; writes: ReadonlySet<number> } {
  const own = i.kind === 'op' ? i.epilogue : i.loop;
  const loop: Pick<Loop, 'stores' | 'reductions'> = own ?? { stores: [], reductions: [] };
  const writes = [...(i.kind === 'op' ? i.outputs : []), ...loop.stores, ...loop.reductions].flatMap(
    ({ slot }) => (slot >= 0 ? [slot] : []),
  );
  return { reads: new Set([...readsOf(i)].map(to.place)), writes: new Set(writes.map(to.place)) };
}

/** Lowers a program: work on rows as kernels of rows, each other instruction by `lowerOne`. */
export function lowerRows(program: Program, to: Lowering, lowerOne: (i: Instruction) => void): void {
  for (const { members, work } of unitsOf(program, to)) {
    to.instructions = members;
    if (work && emitPhases(work, to)) continue;
    for (const m of members) {
      to.instructions = [m];
      lowerOne(program.instructions[m]);
    }
  }
}
