// How a kernel does work on rows, as data: who does which part of a row, and what is read, computed, reduced and stored in
// each pass. A few invocations share a row, and a workgroup holds one row or several. In a pass each invocation goes
// through its share of the row; what it reduced is joined with the others', and the next pass knows the result. Where a
// share is short it stays in registers from pass to pass, written out element by element; a longer one is walked through
// anew in each pass, reading and computing again what the pass needs.

import { sizeOf } from '../engine/dtype.ts';
import { keptOf, lengthOf } from '../engine/graph/dense.ts';
import { printRowValue } from '../engine/graph/print.ts';
import { argumentsOf } from '../engine/graph/row-values.ts';
import { COST } from '../engine/primitives/table.ts';
import type { Loop, Rows, RowValue } from '../engine/program.ts';
import { type Domain, mergeAxes } from './axes.ts';
import { CPU_GROUPS, CPU_THREADS, GPU_THREADS, STEPS } from './each.ts';
import { ceilPower } from './grid.ts';
import { lanesFor } from './loop.ts';
import type { Traits } from './lowering.ts';

/** Elements of a row that an invocation keeps in registers, and values of elements that are written out at most. */
const MAX_ELEMENTS_KEPT = 16;
const MAX_STATEMENTS = 1024;
/** What costs as much a CPU would rather read again than compute again: its caches keep a row. */
const EXPENSIVE_COST = 8;
/** Elements of an invocation that a CPU does in less time than it takes to start a workgroup. */
const MIN_ELEMENTS_PER_INVOCATION = 64;

interface Layout {
  /** Invocations to a row, rows to a workgroup at a time, times. */
  readonly along: number;
  readonly across: number;
  readonly turns: number;
  readonly groups: number;
  /** Invocations of a row that exchange within a subgroup. */
  readonly inside: number;
}

/** A value of elements, and the slot it is written to or read back from. */
interface Placed {
  readonly slot: number;
  readonly value: number;
}

/** Numbers are those of values. */
export interface Pass {
  /** Values of rows that are known when the pass begins, in order, and where they are written. */
  readonly row: readonly number[];
  readonly rowStores: readonly Placed[];
  /** Values of elements that are read back. */
  readonly borrowed: readonly Placed[];
  /** Values of elements that are read or computed, in order. */
  readonly elements: readonly number[];
  readonly reductions: readonly number[];
  readonly stores: readonly Placed[];
}

export interface RowsPlan {
  readonly rows: Rows;
  /** The domain with axes merged, its strides those of the loads in order. */
  readonly domain: Domain;
  readonly layout: Layout;
  /** Neighbours that are done together. */
  readonly lanes: 1 | 4;
  /** Number of rows; elements of a row, or groups of lanes, and how many of them an invocation has at most. */
  readonly results: number;
  readonly count: number;
  readonly shares: number;
  /** Do they stay in registers? */
  readonly keeps: boolean;
  /** The last one computes nothing for elements. */
  readonly passes: readonly Pass[];
}

/** `count`: elements of a row, or groups of lanes. */
function layoutFor(rows: number, count: number, lanes: number, traits: Traits): Layout {
  const most = traits.software ? CPU_THREADS : GPU_THREADS;
  // A GPU has invocations to spare; what a CPU's do side by side had better be whole rows.
  const share = traits.software ? MAX_ELEMENTS_KEPT / lanes : 4;
  const along = Math.min(most, ceilPower(count / share));
  const threads = traits.software ? most : Math.max(64, along);
  const across = threads / along;
  const blocks = Math.ceil(rows / across);
  const { subgroup } = traits;
  const inside = subgroup > 0 && threads % subgroup === 0 ? Math.min(along, subgroup) : 1;
  const steps = Math.max(1, Math.floor((STEPS * along) / count));
  const least = Math.max(
    Math.ceil(blocks / CPU_GROUPS),
    Math.floor((MIN_ELEMENTS_PER_INVOCATION * along) / (count * lanes)),
  );
  const turns = traits.software && inside === along ? Math.min(steps, least, blocks) : 1;
  return { along, across, turns, groups: Math.ceil(blocks / turns), inside };
}

/** `late`: is a result written where something lies that is still read? Then only in the last pass. */
export function planRows(rows: Rows, late: (slot: number) => boolean, traits: Traits): RowsPlan {
  const { values } = rows;
  const loop: Loop = {
    shape: rows.shape,
    inputs: values.flatMap((v) => (v.kind === 'load' ? [v.view] : [])),
    steps: [],
    stores: [],
    reductions: [],
  };
  const domain = mergeAxes(loop, rows.axes);
  const lanes = domain.reduced.includes(true) ? lanesFor(domain) : 1;
  const results = sizeOf(keptOf(rows));
  const count = lengthOf(rows) / lanes;
  const layout = layoutFor(results, count, lanes, traits);
  const shares = Math.ceil(count / layout.along);
  const perElement = values.filter((v) => !v.perRow).length;
  const keeps = shares * lanes <= MAX_ELEMENTS_KEPT && shares * lanes * perElement <= MAX_STATEMENTS;
  const passes = passesOf(rows, late, keeps, traits.software);
  return { rows, domain, layout, lanes, results, count, shares, keeps, passes };
}

/** What the passes have to do, before it is known which values they find done. */
class Demand {
  /** The last pass that goes through elements. */
  readonly last: number;
  constructor(
    private readonly rows: Rows,
    private readonly late: (slot: number) => boolean,
  ) {
    const { values, stores } = rows;
    this.last = Math.max(
      0,
      ...values.map((v) => (v.kind === 'reduction' ? v.pass - 1 : 0)),
      ...stores.map((s) => (s.whole ? values[s.value].pass : 0)),
    );
  }
  stores(pass: number): Placed[] {
    const { values, stores } = this.rows;
    return stores.filter((s) => s.whole && (this.late(s.slot) ? this.last : values[s.value].pass) === pass);
  }
  reductions(pass: number): number[] {
    return this.rows.values.flatMap((v, n) => (v.kind === 'reduction' && v.pass === pass + 1 ? [n] : []));
  }
  /** Values of elements that a pass needs and that are not there yet, in order. */
  missing(pass: number, there: ReadonlySet<number>): number[] {
    const { values } = this.rows;
    const needed = new Set([
      ...this.reductions(pass).flatMap((n) => argumentsOf(values[n])),
      ...this.stores(pass).map((s) => s.value),
    ]);
    const missing: number[] = [];
    for (let n = values.length - 1; n >= 0; n--) {
      if (!needed.has(n) || values[n].perRow || there.has(n)) continue;
      missing.push(n);
      for (const a of argumentsOf(values[n])) needed.add(a);
    }
    return missing.reverse();
  }
}

/** A value that waits in the memory of a result until the pass that writes the result. */
interface Lent extends Placed {
  readonly until: number;
}

/** The memory of a result that is written in a late pass is free until then: it holds a value that is dear to compute. */
function lentIn({ values, stores }: Rows, demand: Demand, late: (slot: number) => boolean): Lent[] {
  const none: ReadonlySet<number> = new Set();
  const dear: boolean[] = [];
  for (const v of values)
    dear.push(
      !v.perRow &&
        ((v.kind === 'step' && COST[v.step.op] >= EXPENSIVE_COST) || argumentsOf(v).some((a) => dear[a])),
    );
  const lent: Lent[] = [];
  for (const { slot, whole, value } of stores) {
    const { pass, dtype } = values[value];
    const again = demand.missing(pass, none).filter((n) => {
      const known = values[n].pass;
      const there = known < pass && demand.missing(known, none).includes(n);
      return there && dear[n] && values[n].dtype === dtype && lent.every((l) => l.value !== n);
    });
    const last = again.at(-1);
    if (whole && !late(slot) && last !== undefined) lent.push({ slot, value: last, until: pass });
  }
  return lent;
}

function passesOf(rows: Rows, late: (slot: number) => boolean, keeps: boolean, software: boolean): Pass[] {
  const { values, stores } = rows;
  const demand = new Demand(rows, late);
  const lent = !keeps && software ? lentIn(rows, demand, late) : [];
  const inPass = (v: RowValue, pass: number): boolean => v.pass === pass;
  const passes: Pass[] = [];
  const there = new Set<number>();
  for (let pass = 0; pass <= demand.last + 1; pass++) {
    const beyond = pass > demand.last;
    const borrowed = lent.filter(
      (l) =>
        values[l.value].pass < pass && pass <= l.until && demand.missing(pass, new Set()).includes(l.value),
    );
    const elements = beyond ? [] : demand.missing(pass, new Set([...there, ...borrowed.map((l) => l.value)]));
    if (keeps) for (const n of elements) there.add(n);
    const lends = lent.filter((l) => values[l.value].pass === pass);
    passes.push({
      row: values.flatMap((v, n) => (v.perRow && v.kind !== 'reduction' && inPass(v, pass) ? [n] : [])),
      rowStores: stores.filter((s) => !s.whole && inPass(values[s.value], pass)),
      borrowed,
      elements,
      reductions: beyond ? [] : demand.reductions(pass),
      stores: beyond ? [] : [...demand.stores(pass), ...lends],
    });
  }
  return passes;
}

/** A line for each value, in the pass that has it. */
export function printRowsPlan({ rows, layout, lanes, results, count, keeps, passes }: RowsPlan): string {
  const { along, across, turns, inside } = layout;
  const made = (n: number): string => `v${n} = ${printRowValue(rows.values[n])}`;
  const lines = passes.flatMap((p, k) => [
    `pass ${k}`,
    ...p.row.map((n) => `  row: ${made(n)}`),
    ...p.rowStores.map((s) => `  row: slot ${s.slot} = v${s.value}`),
    ...p.borrowed.map((l) => `  v${l.value} = slot ${l.slot} again`),
    ...p.elements.map((n) => `  ${made(n)}`),
    ...p.reductions.map((n) => `  ${made(n)}`),
    ...p.stores.map((s) => `  slot ${s.slot} = v${s.value}`),
  ]);
  return [
    `${results} rows of ${count * lanes}, ${along} invocations to a row, ${across} rows at a time, ${turns} turns`,
    `${lanes} elements together, ${inside} invocations exchange, ${keeps ? 'kept in registers' : 'read anew in each pass'}`,
    ...lines,
  ].join('\n');
}
