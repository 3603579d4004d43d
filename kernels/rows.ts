// The kernel of work on rows: writes a plan (rows-plan.ts) as WGSL and decides nothing. What invocations reduced is joined by
// exchange within subgroups, else in workgroup memory, always in one order.

import { check } from '../engine/error.ts';
import type { RowReduction, Rows } from '../engine/program.ts';
import { coordinates, position, rowMajor } from './axes.ts';
import { type Argument, expressionOf } from './elementwise.ts';
import { valueName, writeLoad } from './loop.ts';
import type { Lowering } from './lowering.ts';
import { combined, startOf } from './reduce.ts';
import { type Pass, planRows, type RowsPlan } from './rows-plan.ts';
import { fromMemory, literal, rounded, type Shader, toMemory, valueType } from './shader.ts';

/** Shares that every invocation adds up by itself: a barrier costs more than reading so many. */
const MAX_SHARES_READ = 8;

export function emitRows(rows: Rows, to: Lowering): void {
  const read = new Set(rows.values.flatMap((v) => (v.kind === 'load' ? [to.place(v.view.slot)] : [])));
  const plan = planRows(rows, (slot) => read.has(to.place(slot)), to.traits);
  const shader = to.shader('rows');
  const writer = new RowsWriter(plan, shader);
  const main = writer.main();
  const { along, across, groups } = plan.layout;
  const kernel = shader.kernel({
    threads: along * across,
    groups,
    declarations: writer.declarations(),
    main,
  });
  const bound = kernel.bindings.length;
  check(bound <= to.traits.storageBuffers, 'device', () => {
    const { label } = to.program;
    return `${label}: planned for a device whose kernels bind ${bound} buffers; this one's bind ${to.traits.storageBuffers}`;
  });
  to.add(kernel);
}

class RowsWriter {
  private readonly lines: string[] = [];
  /** Workgroup memory, by name. */
  private readonly arrays = new Map<string, string>();
  private readonly axes: readonly number[];
  private readonly strides: readonly number[];
  /** Which of the domain's views a load is. */
  private readonly views: ReadonlyMap<number, number>;
  private readonly lane: readonly number[];
  /** Has the last round elements for some invocations only; has the last workgroup rows for some only? */
  private readonly rest: boolean;
  private readonly idle: boolean;

  constructor(
    private readonly plan: RowsPlan,
    private readonly shader: Shader,
  ) {
    const { domain, layout, lanes, count, results, rows } = plan;
    this.axes = domain.sizes.map((_, d) => d);
    this.strides = rowMajor(domain.sizes);
    this.views = new Map(
      rows.values.flatMap((v, n) => (v.kind === 'load' ? [n] : [])).map((n, at) => [n, at]),
    );
    this.lane = Array.from({ length: lanes }, (_, l) => l);
    this.rest = count % layout.along !== 0;
    this.idle = results % (layout.across * layout.turns) !== 0;
  }

  declarations(): string {
    return [...this.arrays.values()].join('\n');
  }

  main(): string {
    const { layout, keeps, shares, passes } = this.plan;
    if (layout.turns > 1) this.lines.push(`for (var turn = 0u; turn < ${layout.turns}u; turn++) {`);
    this.place();
    if (keeps) for (let t = 0; t < shares; t++) this.keptElement(t);
    passes.forEach((pass, k) => {
      this.row(pass);
      for (const n of pass.reductions) {
        const v = this.reduction(n);
        this.lines.push(`var total${n} = ${startOf(v.op, this.typeReduced(v))};`);
      }
      if (k === passes.length - 1) return;
      if (keeps) for (let t = 0; t < shares; t++) this.elements(pass, t, this.rest);
      else this.walk(pass);
      if (pass.reductions.length > 0) this.join(pass, k);
    });
    if (layout.turns > 1) this.lines.push('}');
    return this.lines.join('\n');
  }

  // ---- names -----------------------------------------------------------------------------------------------------------

  private reduction(n: number): RowReduction {
    return this.plan.rows.values[n] as RowReduction;
  }
  private typeReduced({ value }: RowReduction) {
    return this.plan.rows.values[value].dtype;
  }
  private nameOf(n: number, t: number, lane: number): string {
    const { values } = this.plan.rows;
    return values[n].perRow ? `r${n}` : valueName(t * values.length + n, lane);
  }
  private axisName(d: number, t: number): string {
    return this.plan.domain.reduced[d] ? `c${d}_${t}` : `c${d}`;
  }
  private axisNames(t: number, reduced?: boolean): string[] {
    const { domain } = this.plan;
    const wanted = this.axes.filter((d) => reduced === undefined || domain.reduced[d] === reduced);
    return wanted.map((d) => this.axisName(d, t));
  }
  private sizes(reduced: boolean): number[] {
    const { domain } = this.plan;
    return domain.sizes.filter((_, d) => domain.reduced[d] === reduced);
  }

  // ---- where things lie ------------------------------------------------------------------------------------------------

  private place(): void {
    const { along, across, turns, inside } = this.plan.layout;
    const { results } = this.plan;
    const block = turns > 1 ? `(group * ${turns}u + turn)` : 'group';
    this.lines.push(
      `let along = localIndex % ${along}u;`,
      `let first = localIndex / ${along}u * ${along / inside}u;`,
      `let share = along / ${inside}u;`,
      `let wanted = ${block} * ${across}u + localIndex / ${along}u;`,
      `let present = wanted < ${results}u;`,
      // Invocations without a row go along with the last one and store nothing.
      `let row = min(wanted, ${results - 1}u);`,
      coordinates('row', this.sizes(false), this.axisNames(0, false)),
    );
  }
  private keptElement(t: number): void {
    const { count, layout } = this.plan;
    const unit = `along + ${t * layout.along}u`;
    if (this.rest) this.lines.push(`let inside${t} = ${unit} < ${count}u;`);
    this.elementAt(t, this.rest ? `min(${unit}, ${count - 1}u)` : `(${unit})`);
  }
  private elementAt(t: number, unit: string): void {
    this.lines.push(
      `let element${t} = ${unit}${this.plan.lanes === 4 ? ' * 4u' : ''};`,
      coordinates(`element${t}`, this.sizes(true), this.axisNames(t, true)),
      `let at${t} = ${position(this.axisNames(t), this.strides)};`,
    );
  }

  // ---- values ----------------------------------------------------------------------------------------------------------

  private step(n: number, t: number, lane: number): void {
    const { values } = this.plan.rows;
    const v = values[n];
    if (v.kind !== 'step') return;
    const args = v.step.args.map((a): Argument => {
      const from = values[a];
      const constant = from.kind === 'step' && from.step.op === 'full' ? (from.step.value ?? 0) : undefined;
      return { name: this.nameOf(a, t, lane), dtype: from.dtype, constant };
    });
    this.lines.push(`let ${this.nameOf(n, t, lane)} = ${expressionOf(v.step, args)};`);
  }
  private load(n: number, slot: number, strides: readonly number[], offset: number, t: number): void {
    const { rows, domain, lanes } = this.plan;
    const at = { names: this.axisNames(t), flat: `at${t}`, lanes };
    const view = { slot, dtype: rows.values[n].dtype, strides, offset };
    this.lines.push(...writeLoad(this.shader, view, strides, domain, at, t * rows.values.length + n));
  }
  private stridesOf(n: number): readonly number[] {
    return this.plan.domain.strides[this.views.get(n) as number];
  }

  /** What there is once for a row. */
  private row({ row, rowStores }: Pass): void {
    const { values } = this.plan.rows;
    for (const n of row) {
      const v = values[n];
      if (v.kind === 'load') {
        const { slot, dtype, offset } = v.view;
        const index = position(this.axisNames(0), this.stridesOf(n), offset);
        this.lines.push(`let r${n} = ${fromMemory(`${this.shader.read(slot, dtype)}[${index}]`, dtype)};`);
      } else this.step(n, 0, 0);
    }
    if (rowStores.length === 0) return;
    const written = rowStores.map(({ slot, value }) => {
      const { dtype } = values[value];
      return `${this.shader.write(slot, dtype)}[row] = ${toMemory(`r${value}`, dtype)};`;
    });
    this.lines.push(`if (along == 0u && present) {\n${written.join('\n')}\n}`);
  }

  /** What there is for each element. */
  private elements(pass: Pass, t: number, guarded: boolean): void {
    for (const n of pass.elements) {
      const v = this.plan.rows.values[n];
      if (v.kind === 'load') this.load(n, v.view.slot, this.stridesOf(n), v.view.offset, t);
      else for (const lane of this.lane) this.step(n, t, lane);
    }
    this.accumulate(pass, t, guarded);
    this.store(pass, t, guarded);
  }
  private walk(pass: Pass): void {
    const { count, layout } = this.plan;
    this.lines.push(`for (var unit = along; unit < ${count}u; unit += ${layout.along}u) {`);
    this.elementAt(0, 'unit');
    for (const { slot, value } of pass.borrowed) this.load(value, slot, this.strides, 0, 0);
    this.elements(pass, 0, false);
    this.lines.push('}');
  }
  /** Takes an invocation's elements into its totals; those beyond the row's end count for nothing. */
  private accumulate({ reductions }: Pass, t: number, guarded: boolean): void {
    for (const n of reductions) {
      const v = this.reduction(n);
      const dtype = this.typeReduced(v);
      const own = this.lane.map((lane) => {
        const name = this.nameOf(v.value, t, lane);
        return guarded ? `select(${startOf(v.op, dtype)}, ${name}, inside${t})` : name;
      });
      const join = (a: string, b: string): string => combined(v.op, dtype, a, b);
      const one = own.length === 4 ? join(`(${join(own[0], own[1])})`, `(${join(own[2], own[3])})`) : own[0];
      this.lines.push(`total${n} = ${join(`total${n}`, `(${one})`)};`);
    }
  }
  private store({ stores }: Pass, t: number, guarded: boolean): void {
    if (stores.length === 0) return;
    const written = stores.map(({ slot, value }) => {
      const { dtype } = this.plan.rows.values[value];
      const elements = this.lane.map((lane) => toMemory(this.nameOf(value, t, lane), dtype));
      const target = this.shader.write(slot, dtype, this.plan.lanes);
      return elements.length === 1
        ? `${target}[at${t}] = ${elements[0]};`
        : `${target}[at${t} / 4u] = vec4(${elements.join(', ')});`;
    });
    const guards = [...(this.idle ? ['present'] : []), ...(guarded ? [`inside${t}`] : [])];
    this.lines.push(...(guards.length > 0 ? [`if (${guards.join(' && ')}) {`, ...written, '}'] : written));
  }

  // ---- totals of invocations to totals of rows ---------------------------------------------------------------------------

  private join({ reductions }: Pass, k: number): void {
    const { along, inside } = this.plan.layout;
    for (let apart = 1; apart < inside; apart *= 2)
      for (const n of reductions) this.take(n, `subgroupShuffleXor(total${n}, ${apart}u)`);
    if (along > inside) this.joinShares(reductions, k % 2);
    for (const n of reductions) {
      const { divisor, dtype } = this.reduction(n);
      const whole = divisor === 1 ? `total${n}` : `(total${n} / ${literal(divisor, 'float32')})`;
      this.lines.push(`let r${n} = ${rounded(whole, dtype)};`);
    }
  }
  private take(n: number, other: string): void {
    const v = this.reduction(n);
    this.lines.push(`total${n} = ${combined(v.op, this.typeReduced(v), `total${n}`, other)};`);
  }
  /** Two sets of arrays in turn: by the time one is written again, a barrier has passed since it was read. */
  private joinShares(reductions: readonly number[], turn: number): void {
    const { along, across, inside } = this.plan.layout;
    const outside = along / inside;
    const arrays = reductions.map((n, j) => {
      const type = valueType(this.typeReduced(this.reduction(n)));
      const name = `shares${turn}_${j}_${type}`;
      this.arrays.set(name, `var<workgroup> ${name}: array<${type}, ${outside * across}>;`);
      return name;
    });
    const put = reductions.map((n, j) => `${arrays[j]}[first + share] = total${n};`);
    this.lines.push(`if (along % ${inside}u == 0u) {\n${put.join('\n')}\n}`);
    let left = outside;
    for (; left > MAX_SHARES_READ; left /= 2) {
      const half = left / 2;
      this.lines.push('workgroupBarrier();', `if (along % ${inside}u == 0u && share < ${half}u) {`);
      reductions.forEach((n, j) => {
        this.take(n, `${arrays[j]}[first + share + ${half}u]`);
        this.lines.push(put[j]);
      });
      this.lines.push('}');
    }
    this.lines.push('workgroupBarrier();');
    reductions.forEach((n, j) => {
      this.lines.push(`total${n} = ${arrays[j]}[first + 0u];`);
      for (let s = 1; s < left; s++) this.take(n, `${arrays[j]}[first + ${s}u]`);
    });
  }
}
