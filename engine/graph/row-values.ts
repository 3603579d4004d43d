// Loops over the same rows as values of rows. What one loop writes and a later one reads, element for element or one value
// along its row, is handed on; whether that is possible for all of them is found out here, and what is left to store.

import { stridesOf } from '../dtype.ts';
import { sameShape } from '../primitives/rules.ts';
import type { Reduction, RowDomain, RowStore, Rows, RowValue, View } from '../program.ts';
import { acrossOf, alongRows, keptOf } from './dense.ts';
import type { Reduced } from './moments.ts';

/** Numbers of the values that a value is computed from. */
export const argumentsOf = (v: RowValue): readonly number[] =>
  v.kind === 'step' ? v.step.args : v.kind === 'reduction' ? [v.value] : [];

class RowBuilder {
  private readonly values: RowValue[] = [];
  private readonly known = new Map<string, number>();
  private readonly written = new Map<number, Omit<RowStore, 'slot'>>();
  /** Sums over the rows: the slot of each, and the value that is added up. */
  private readonly columns = new Map<number, number>();
  private readonly kept: readonly number[];
  private readonly wholeStrides: readonly number[];
  private readonly rowStrides: readonly number[];

  constructor(
    private readonly domain: RowDomain,
    private readonly takesColumns: boolean,
  ) {
    this.kept = keptOf(domain);
    this.wholeStrides = stridesOf(domain.shape);
    this.rowStrides = alongRows(domain, stridesOf(this.kept));
  }

  /** Equal values are one. */
  private put(key: string, value: () => RowValue): number {
    let n = this.known.get(key);
    if (n === undefined) {
      n = this.values.push(value()) - 1;
      this.known.set(key, n);
    }
    return n;
  }

  /** False where the loop does not belong to these rows. */
  add(loop: Reduced): boolean {
    const { shape, axes } = this.domain;
    const whole = sameShape(loop.shape, shape);
    if (!whole && !(sameShape(loop.shape, this.kept) && loop.reductions.length === 0)) return false;
    const isColumn = (r: Reduction): boolean =>
      whole && this.takesColumns && r.op === 'sum' && sameShape(r.axes, acrossOf(this.domain));
    if (!loop.reductions.every((r) => sameShape(r.axes, axes) || isColumn(r))) return false;
    const numbers: number[] = [];
    for (const v of loop.inputs) {
      const n = this.read({ ...v, strides: whole ? v.strides : alongRows(this.domain, v.strides) });
      if (n === null) return false;
      numbers.push(n);
    }
    this.compute(loop, numbers);
    for (const s of loop.stores) this.written.set(s.slot, { value: numbers[s.value], whole });
    this.reduce(loop, numbers);
    return true;
  }

  /** The value that a view reads; null where it reads what these rows write, but not in step with them. */
  private read(view: View): number | null {
    const { slot, dtype, strides, offset } = view;
    // Known only when all rows are done.
    if (this.columns.has(slot)) return null;
    const own = this.written.get(slot);
    if (own === undefined)
      return this.put(`${slot} ${offset} ${strides}`, () => ({
        kind: 'load',
        view,
        dtype,
        perRow: this.domain.axes.every((d) => strides[d] === 0),
        pass: 0,
      }));
    const inStep = offset === 0 && sameShape(strides, own.whole ? this.wholeStrides : this.rowStrides);
    return inStep ? own.value : null;
  }

  private compute(loop: Reduced, numbers: number[]): void {
    for (const s of loop.steps) {
      const args = s.args.map((a) => numbers[a]);
      const key = `${s.op} ${s.dtype} ${args} ${Object.is(s.value, -0) ? '-0' : s.value}`;
      const n = this.put(key, () => ({
        kind: 'step',
        step: { ...s, args },
        dtype: s.dtype,
        perRow: args.every((a) => this.values[a].perRow),
        pass: Math.max(0, ...args.map((a) => this.values[a].pass)),
      }));
      numbers.push(n);
    }
  }

  private reduce({ reductions, divisor = 1 }: Reduced, numbers: readonly number[]): void {
    for (const { op, value: of, slot, axes } of reductions) {
      const value = numbers[of];
      if (!sameShape(axes, this.domain.axes)) {
        this.columns.set(slot, value);
        continue;
      }
      const { dtype, pass } = this.values[value];
      const n = this.put(`reduce ${op} ${value} ${divisor}`, () => ({
        kind: 'reduction',
        op,
        value,
        divisor,
        dtype,
        perRow: true,
        pass: pass + 1,
      }));
      this.written.set(slot, { value: n, whole: false });
    }
  }

  /** Without what no store needs. `inside`: slots that nobody else reads. */
  build(inside: (slot: number) => boolean): Rows {
    const { values, domain } = this;
    const stores = [...this.written].filter(([slot]) => !inside(slot));
    const needed = new Set([...stores.map(([, s]) => s.value), ...this.columns.values()]);
    for (let n = values.length - 1; n >= 0; n--)
      if (needed.has(n)) for (const a of argumentsOf(values[n])) needed.add(a);
    const order = [...needed].sort((a, b) => a - b);
    const renumbered = new Map(order.map((n, k) => [n, k]));
    const at = (n: number): number => renumbered.get(n) as number;
    const live = order.map((n): RowValue => {
      const v = values[n];
      if (v.kind === 'step') return { ...v, step: { ...v.step, args: v.step.args.map(at) } };
      return v.kind === 'reduction' ? { ...v, value: at(v.value) } : v;
    });
    return {
      ...domain,
      values: live,
      stores: stores.map(([slot, s]) => ({ ...s, slot, value: at(s.value) })),
      columns: [...this.columns].map(([slot, value]) => ({ slot, value: at(value) })),
    };
  }
}

/**
 * The loops' work as values of rows, or null where they are not of the same rows. `inside`: slots that nobody else reads;
 * `takesColumns`: sums over the rows belong to it.
 */
export function rowsOf(
  loops: readonly Reduced[],
  domain: RowDomain,
  inside: (slot: number) => boolean,
  takesColumns: boolean,
): Rows | null {
  const builder = new RowBuilder(domain, takesColumns);
  return loops.every((l) => builder.add(l)) ? builder.build(inside) : null;
}
