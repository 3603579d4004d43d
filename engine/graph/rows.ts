// A pass: instructions that work on the same rows become one. A row is the part of a domain that reductions run over;
// instructions belong together where one reads what another wrote, element for element or one value for the whole row.
// Nothing here knows softmax: it is found as any other chain of loops and reductions.

import type { Capabilities } from '../backend.ts';
import { bytesOf, sizeOf } from '../dtype.ts';
import type { Instruction, RowDomain, Rows, Slot } from '../program.ts';
import { keptOf, lengthOf, runOf } from './dense.ts';
import { momentLoops, type Reduced, reductionLoop } from './moments.ts';
import { rowsOf } from './row-values.ts';
import { slotsRead, slotsWritten } from './touches.ts';

/** How many instructions back a piece of work is looked for: beyond that it would keep memory for too long. */
const MAX_DISTANCE = 64;
/** As many instructions become one at most: kernels have to be compiled, and each new member is tried with all before it. */
const MAX_MEMBERS = 32;

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

/** An instruction as loops one after the other; null for one that is nothing of the kind. */
function loopsFor(i: Instruction, scratch: () => number): readonly Reduced[] | null {
  if (i.kind === 'loop') return [i.loop];
  if (i.kind === 'rows') return null;
  switch (i.op) {
    case 'sum':
    case 'max':
    case 'min':
      return [reductionLoop(i.op, i)];
    case 'moments':
      return momentLoops(i, scratch);
    default:
      return null;
  }
}

/** An instruction that may be part of work on rows. */
interface Work {
  readonly loops: readonly Reduced[];
  /** Null where it reduces no rows: it goes along with any. */
  readonly domain: RowDomain | null;
}

function workOf(i: Instruction, scratch: () => number): Work | null {
  const loops = loopsFor(i, scratch)?.map(squeezed);
  if (!loops || loops.some((l) => sizeOf(l.shape) === 0)) return null;
  const [{ shape, reductions }] = loops;
  if (reductions.length === 0) return { loops, domain: null };
  const [{ axes }] = reductions;
  // Reductions over other axes may be sums over the rows of somebody else's domain.
  if (axes.length > 0 ? !axes.includes(shape.length - 1) : shape.length > 0) return { loops, domain: null };
  return { loops, domain: { shape, axes } };
}

/** What becomes one instruction: one of before, or several with their work on rows. */
interface Unit {
  readonly members: readonly number[];
  readonly domain: RowDomain | null;
  readonly rows: Rows | null;
}

class RowFuser {
  private readonly works: readonly (Work | null)[];
  private readonly reads: readonly ReadonlySet<number>[];
  private readonly writes: readonly ReadonlySet<number>[];
  private readonly readers = new Map<number, number[]>();
  private readonly units: Unit[] = [];
  private readonly writer = new Map<number, Unit>();

  constructor(
    private readonly slots: readonly Slot[],
    private readonly instructions: readonly Instruction[],
    private readonly can: Capabilities,
    private readonly limits: NonNullable<Capabilities['rows']>,
  ) {
    // Between the loops of one instruction lie values that have no slot.
    let free = slots.length;
    this.works = instructions.map((i) => workOf(i, () => free++));
    this.reads = instructions.map((i) => new Set(slotsRead(i)));
    this.writes = instructions.map((i) => new Set(slotsWritten(i)));
    this.reads.forEach((slots, n) => {
      for (const s of slots) this.readers.set(s, [...(this.readers.get(s) ?? []), n]);
    });
  }

  run(): Instruction[] {
    this.instructions.forEach((_, n) => {
      const { unit, place } = this.unitFor(n);
      this.units.splice(place, 0, unit);
      for (const m of unit.members) for (const s of this.writes[m]) this.writer.set(s, unit);
    });
    return this.units.map(({ members: [n], rows }) => (rows ? { kind: 'rows', rows } : this.instructions[n]));
  }

  /** Instruction n with all those before it that it can be one with, and which unit they become. */
  private unitFor(n: number): { unit: Unit; place: number } {
    const i = this.instructions[n];
    const work = this.works[n];
    let home: Unit = { members: [n], domain: work?.domain ?? null, rows: null };
    let place = this.units.length;
    if (work === null) return { unit: home, place };
    // Two passes over the same numbers: worth a kernel of rows by itself.
    if (i.kind === 'op' && i.op === 'moments' && home.domain && this.isWorthIt(home.domain))
      home = { ...home, rows: this.rowsOf([n], home.domain) };
    const sources = new Set([...this.reads[n]].flatMap((s) => this.writer.get(s) ?? []));
    const at = (u: Unit): number => this.units.lastIndexOf(u);
    for (const unit of [...sources].sort((a, b) => at(b) - at(a))) {
      const domain = home.domain ?? unit.domain;
      if (!domain || !this.isWorthIt(domain) || unit.members.some((m) => this.works[m] === null)) continue;
      if (unit.members.length + home.members.length > MAX_MEMBERS) continue;
      if (this.units.length - at(unit) > MAX_DISTANCE) continue;
      const waits = this.canWait(unit, place);
      if (!waits && !this.canCome(home, unit)) continue;
      const members = [...unit.members, ...home.members].sort((a, b) => a - b);
      const rows = this.rowsOf(members, domain);
      if (rows === null) continue;
      place = waits ? place - 1 : at(unit);
      this.units.splice(at(unit), 1);
      home = { members, domain, rows };
    }
    return { unit: home, place };
  }

  /** A row is done by one worker: there have to be enough of them, or a row so short that a second kernel costs more. */
  private isWorthIt(domain: RowDomain): boolean {
    const { busy, short, shortest, longest } = this.limits;
    const length = lengthOf(domain);
    return (
      shortest <= runOf(domain) && length <= longest && (sizeOf(keptOf(domain)) >= busy || length <= short)
    );
  }

  /** May a unit be done as late as what comes before unit `place`? */
  private canWait(unit: Unit, place: number): boolean {
    const written = unit.members.flatMap((m) => [...this.writes[m]]);
    for (let at = place - 1; this.units[at] !== unit; at--)
      for (const m of this.units[at].members) if (written.some((s) => this.reads[m].has(s))) return false;
    return true;
  }

  /** May new work be done as early as a unit that is there? */
  private canCome(work: Unit, unit: Unit): boolean {
    const later = new Set(this.units.slice(this.units.lastIndexOf(unit) + 1));
    return work.members.every((m) =>
      [...this.reads[m]].every((s) => {
        const source = this.writer.get(s);
        return source === undefined || !later.has(source);
      }),
    );
  }

  private rowsOf(members: readonly number[], domain: RowDomain): Rows | null {
    const set = new Set(members);
    const inside = (slot: number): boolean =>
      slot >= this.slots.length ||
      (this.slots[slot].kind === 'temporary' && (this.readers.get(slot) ?? []).every((n) => set.has(n)));
    const loops = members.flatMap((m) => this.works[m]?.loops ?? []);
    const rows = rowsOf(loops, domain, inside, this.limits.columns);
    return rows && this.fits(rows) ? rows : null;
  }

  /** Can a kernel bind all that is read and written? Each view counts, for a slot may have to be bound as several types. */
  private fits({ values, stores, columns }: Rows): boolean {
    const views = values.flatMap((v) => (v.kind === 'load' ? [v.view] : []));
    const touched = [...views, ...stores, ...columns];
    if (touched.length > this.can.buffers) return false;
    const passes = new Map<number, number>();
    for (const v of values) if (v.kind === 'reduction') passes.set(v.pass, (passes.get(v.pass) ?? 0) + 1);
    if (Math.max(0, ...passes.values()) > this.limits.reductions) return false;
    return touched.every(({ slot }) => {
      const { size, dtype } = this.slots[slot];
      return size * bytesOf(dtype) <= this.can.bindingBytes;
    });
  }
}

/** Slots and instructions of a program; those slots that are no longer used stay in the list. */
export function fuseRows(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
  can: Capabilities,
): readonly Instruction[] {
  return can.rows ? new RowFuser(slots, instructions, can, can.rows).run() : instructions;
}
