// The kernel of work on rows (rows.ts). A few invocations share a row, and a workgroup holds one row or several. Work goes in
// phases: each invocation goes through its share of the row, what it reduced is joined with the others' (by exchange
// within subgroups, else in workgroup memory, always in one order), and the next phase knows the result. Where a share
// is short it stays in registers from phase to phase, written out element by element; a longer one is walked through
// anew in each phase, reading and computing again what the phase needs.

import { sizeOf } from '../engine/dtype.ts';
import type { Loop } from '../engine/program.ts';
import { CPU_GROUPS, CPU_THREADS, GPU_THREADS, STEPS } from './each.ts';
import { type Argument, expressionOf } from './elementwise.ts';
import { coordinates, lanesFor, mergeAxes, position, rowMajor, valueName, writeLoad } from './loop.ts';
import type { Lowering, Traits } from './lowering.ts';
import { ceilPower, combined, startOf } from './reduce.ts';
import { argumentsOf, keptOf, lengthOf, type Reduce, type RowWork } from './rows.ts';
import { fromMemory, literal, rounded, toMemory, valueType } from './shader.ts';

/** Elements of a row that an invocation keeps in registers, and values of elements that are written out at most. */
const KEPT = 16;
const WRITTEN = 1024;
/** What a CPU would rather read again than compute again: its caches keep a row. */
const DEAR = new Set<string>('exp log log1p expm1 tanh sigmoid erf sin cos pow'.split(' '));
/** Elements of an invocation that a CPU does in less time than it takes to start a workgroup. */
const LEAST = 64;
/** Shares that every invocation adds up by itself: a barrier costs more than reading so many. */
const READ = 8;

interface Layout {
  /** Invocations to a row, rows to a workgroup at a time, times. */
  readonly along: number;
  readonly across: number;
  readonly turns: number;
  readonly groups: number;
  /** Invocations of a row that exchange within a subgroup. */
  readonly inside: number;
}

/** `count`: elements of a row, or groups of lanes. */
function layoutFor(rows: number, count: number, lanes: number, traits: Traits): Layout {
  const most = traits.software ? CPU_THREADS : GPU_THREADS;
  // A GPU has invocations to spare; what a CPU's do side by side had better be whole rows.
  const share = traits.software ? KEPT / lanes : 4;
  const along = Math.min(most, ceilPower(count / share));
  const threads = traits.software ? most : Math.max(64, along);
  const across = threads / along;
  const blocks = Math.ceil(rows / across);
  const { subgroup } = traits;
  const inside = subgroup > 0 && threads % subgroup === 0 ? Math.min(along, subgroup) : 1;
  const steps = Math.max(1, Math.floor((STEPS * along) / count));
  const least = Math.max(Math.ceil(blocks / CPU_GROUPS), Math.floor((LEAST * along) / (count * lanes)));
  const turns = traits.software && inside === along ? Math.min(steps, least, blocks) : 1;
  return { along, across, turns, groups: Math.ceil(blocks / turns), inside };
}

/** False where the device cannot run it after all: nothing is added then. */
export function emitPhases({ rows, nodes, stores }: RowWork, to: Lowering): boolean {
  const results = sizeOf(keptOf(rows));
  const loop: Loop = {
    shape: rows.sizes,
    inputs: nodes.flatMap((n) => (n.kind === 'load' ? [n.view] : [])),
    steps: [],
    stores: [],
    reductions: [],
  };
  const domain = mergeAxes(loop, rows.gone);
  const axes = domain.sizes.map((_, d) => d);
  const stays = axes.filter((d) => !domain.reduced[d]);
  const gone = axes.filter((d) => domain.reduced[d]);
  const lanes = gone.length > 0 ? lanesFor(domain) : 1;
  const each = Array.from({ length: lanes }, (_, l) => l);
  const count = lengthOf(rows) / lanes;
  const { along, across, turns, groups, inside } = layoutFor(results, count, lanes, to.traits);
  const outside = along / inside;
  const shares = Math.ceil(count / along);
  const perElement = nodes.filter((n) => !n.perRow).length;
  const keeps = shares * lanes <= KEPT && shares * lanes * perElement <= WRITTEN;
  // Whether some invocations have no element in the last round, or no row.
  const rest = count % along !== 0;
  const idle = results % (across * turns) !== 0;

  const shader = to.shader('rows');
  const strides = rowMajor(domain.sizes);
  const loadAt = new Map(nodes.flatMap((n, k) => (n.kind === 'load' ? [k] : [])).map((k, at) => [k, at]));
  const lines: string[] = [];
  const arrays = new Map<string, string>();

  const nameOf = (n: number, t: number, lane: number): string =>
    nodes[n].perRow ? `r${n}` : valueName(t * nodes.length + n, lane);
  const axisName = (d: number, t: number): string => (domain.reduced[d] ? `c${d}_${t}` : `c${d}`);
  const placeAt = (t: number) => ({ names: axes.map((d) => axisName(d, t)), flat: `at${t}`, lanes }) as const;
  const stepOf = (n: number, t: number, lane: number): string => {
    const node = nodes[n];
    if (node.kind !== 'step') return '';
    const args = node.step.args.map((a): Argument => {
      const from = nodes[a];
      const constant = from.kind === 'step' && from.step.op === 'full' ? (from.step.value ?? 0) : undefined;
      return { name: nameOf(a, t, lane), dtype: from.dtype, constant };
    });
    return `let ${nameOf(n, t, lane)} = ${expressionOf(node.step, args)};`;
  };

  // ---- what there is once for a row ----------------------------------------------------------------------------------

  /** Values of rows that are known when a phase begins, and their stores. */
  const writeRow = (phase: number): void => {
    nodes.forEach((node, n) => {
      if (!node.perRow || node.phase !== phase) return;
      if (node.kind === 'load') {
        const { slot, dtype, offset } = node.view;
        const own = domain.strides[loadAt.get(n) as number];
        const index = position(
          axes.map((d) => axisName(d, 0)),
          own,
          offset,
        );
        lines.push(`let r${n} = ${fromMemory(`${shader.read(slot, dtype)}[${index}]`, dtype)};`);
      } else if (node.kind === 'step') lines.push(stepOf(n, 0, 0));
    });
    const own = stores.filter((s) => !s.whole && nodes[s.node].phase === phase);
    if (own.length === 0) return;
    const written = own.map(({ slot, node }) => {
      const { dtype } = nodes[node];
      return `${shader.write(slot, dtype)}[row] = ${toMemory(`r${node}`, dtype)};`;
    });
    lines.push(`if (along == 0u && present) {\n${written.join('\n')}\n}`);
  };

  // ---- what there is for each element --------------------------------------------------------------------------------

  const last = Math.max(
    0,
    ...nodes.map((n) => (n.kind === 'reduce' ? n.phase - 1 : 0)),
    ...stores.map((s) => (s.whole ? nodes[s.node].phase : 0)),
  );
  const storesIn = (phase: number) =>
    stores.filter((s) => s.whole && (s.late ? last : nodes[s.node].phase) === phase);
  const reducesIn = (phase: number): number[] =>
    nodes.flatMap((n, k) => (n.kind === 'reduce' && n.phase === phase + 1 ? [k] : []));
  const reduceOf = (k: number): Reduce => nodes[k] as Reduce;

  /** Values of elements that a phase needs and that are not there yet, in order. */
  const missingIn = (phase: number, there: ReadonlySet<number>): number[] => {
    const needed = new Set([
      ...reducesIn(phase).map((k) => reduceOf(k).value),
      ...storesIn(phase).map((s) => s.node),
    ]);
    const missing: number[] = [];
    for (let n = nodes.length - 1; n >= 0; n--) {
      if (!needed.has(n) || nodes[n].perRow || there.has(n)) continue;
      missing.push(n);
      for (const a of argumentsOf(nodes[n])) needed.add(a);
    }
    return missing.reverse();
  };
  // The memory of a result that is written in a late phase is free until then: it holds a value that is needed again in
  // that phase.
  const none: ReadonlySet<number> = new Set();
  const dear: boolean[] = [];
  for (const n of nodes)
    dear.push(
      !n.perRow && ((n.kind === 'step' && DEAR.has(n.step.op)) || argumentsOf(n).some((a) => dear[a])),
    );
  const lent: { readonly slot: number; readonly node: number; readonly phase: number }[] = [];
  if (!keeps && to.traits.software)
    for (const { slot, whole, late, node } of stores) {
      const { phase, dtype } = nodes[node];
      const again = missingIn(phase, none).filter((n) => {
        const known = nodes[n].phase;
        const there = known < phase && missingIn(known, none).includes(n);
        return there && dear[n] && nodes[n].dtype === dtype && lent.every((l) => l.node !== n);
      });
      const last = again.at(-1);
      if (whole && !late && last !== undefined) lent.push({ slot, node: last, phase });
    }
  const borrowedIn = (phase: number) =>
    lent.filter(
      (l) => nodes[l.node].phase < phase && phase <= l.phase && missingIn(phase, none).includes(l.node),
    );
  const writeElements = (values: readonly number[], t: number): void => {
    for (const n of values) {
      const node = nodes[n];
      if (node.kind === 'load')
        lines.push(
          ...writeLoad(
            shader,
            node.view,
            domain.strides[loadAt.get(n) as number],
            domain,
            placeAt(t),
            t * nodes.length + n,
          ),
        );
      else for (const lane of each) lines.push(stepOf(n, t, lane));
    }
  };
  const writeStores = (phase: number, t: number, guarded: boolean): void => {
    const lends = lent.filter((k) => nodes[k.node].phase === phase);
    const written = [...storesIn(phase), ...lends].map(({ slot, node }) => {
      const { dtype } = nodes[node];
      const values = each.map((lane) => toMemory(nameOf(node, t, lane), dtype));
      const target = shader.write(slot, dtype, lanes);
      return lanes === 1
        ? `${target}[at${t}] = ${values[0]};`
        : `${target}[at${t} / 4u] = vec4(${values.join(', ')});`;
    });
    const guards = [...(idle ? ['present'] : []), ...(guarded ? [`inside${t}`] : [])];
    if (written.length === 0) return;
    lines.push(...(guards.length > 0 ? [`if (${guards.join(' && ')}) {`, ...written, '}'] : written));
  };
  /** Takes an invocation's elements into its totals; those beyond the row's end count for nothing. */
  const accumulate = (phase: number, t: number, guarded: boolean): void => {
    for (const k of reducesIn(phase)) {
      const node = reduceOf(k);
      const own = each.map((lane) => {
        const name = nameOf(node.value, t, lane);
        return guarded ? `select(${startOf(node.op, node.from)}, ${name}, inside${t})` : name;
      });
      const join = (a: string, b: string): string => combined(node.op, node.from, a, b);
      const one = lanes === 4 ? join(`(${join(own[0], own[1])})`, `(${join(own[2], own[3])})`) : own[0];
      lines.push(`total${k} = ${join(`total${k}`, `(${one})`)};`);
    }
  };
  const elementAt = (t: number, unit: string): void => {
    lines.push(
      `let element${t} = ${unit}${lanes === 4 ? ' * 4u' : ''};`,
      coordinates(
        `element${t}`,
        gone.map((d) => domain.sizes[d]),
        gone.map((d) => axisName(d, t)),
      ),
      `let at${t} = ${position(
        axes.map((d) => axisName(d, t)),
        strides,
      )};`,
    );
  };

  // ---- totals of invocations to totals of rows -----------------------------------------------------------------------

  const joinTotals = (phase: number): void => {
    const own = reducesIn(phase);
    const join = (k: number, other: string): string => {
      const node = reduceOf(k);
      return `total${k} = ${combined(node.op, node.from, `total${k}`, other)};`;
    };
    for (let apart = 1; apart < inside; apart *= 2)
      for (const k of own) lines.push(join(k, `subgroupShuffleXor(total${k}, ${apart}u)`));
    if (outside > 1) {
      // Two sets of arrays in turn: by the time one is written again, a barrier has passed since it was read.
      const arrayOf = (k: number, j: number): string => {
        const type = valueType(reduceOf(k).from);
        const name = `shares${phase % 2}_${j}_${type}`;
        arrays.set(name, `var<workgroup> ${name}: array<${type}, ${outside * across}>;`);
        return name;
      };
      const put = own.map((k, j) => `${arrayOf(k, j)}[first + share] = total${k};`);
      const get = (k: number, j: number, at: string): string => `${arrayOf(k, j)}[first + ${at}]`;
      lines.push(`if (along % ${inside}u == 0u) {\n${put.join('\n')}\n}`);
      let left = outside;
      for (; left > READ; left /= 2) {
        const half = left / 2;
        lines.push('workgroupBarrier();', `if (along % ${inside}u == 0u && share < ${half}u) {`);
        own.forEach((k, j) => {
          lines.push(join(k, get(k, j, `share + ${half}u`)), put[j]);
        });
        lines.push('}');
      }
      lines.push('workgroupBarrier();');
      own.forEach((k, j) => {
        lines.push(`total${k} = ${get(k, j, '0u')};`);
        for (let s = 1; s < left; s++) lines.push(join(k, get(k, j, `${s}u`)));
      });
    }
    for (const k of own) {
      const { divisor, dtype } = reduceOf(k);
      const whole = divisor === 1 ? `total${k}` : `(total${k} / ${literal(divisor, 'float32')})`;
      lines.push(`let r${k} = ${rounded(whole, dtype)};`);
    }
  };

  // ---- the kernel ----------------------------------------------------------------------------------------------------

  const block = turns > 1 ? `(group * ${turns}u + turn)` : 'group';
  if (turns > 1) lines.push(`for (var turn = 0u; turn < ${turns}u; turn++) {`);
  lines.push(
    `let along = lane % ${along}u;`,
    `let first = lane / ${along}u * ${outside}u;`,
    `let share = along / ${inside}u;`,
    `let wanted = ${block} * ${across}u + lane / ${along}u;`,
    `let present = wanted < ${results}u;`,
    // Invocations without a row go along with the last one and store nothing.
    `let row = min(wanted, ${results - 1}u);`,
    coordinates(
      'row',
      stays.map((d) => domain.sizes[d]),
      stays.map((d) => axisName(d, 0)),
    ),
  );
  if (keeps)
    for (let t = 0; t < shares; t++) {
      const unit = `along + ${t * along}u`;
      if (rest) lines.push(`let inside${t} = ${unit} < ${count}u;`);
      elementAt(t, rest ? `min(${unit}, ${count - 1}u)` : `(${unit})`);
    }
  const there = new Set<number>();
  for (let phase = 0; phase <= last; phase++) {
    writeRow(phase);
    for (const k of reducesIn(phase)) {
      const node = reduceOf(k);
      lines.push(`var total${k} = ${startOf(node.op, node.from)};`);
    }
    const borrowed = borrowedIn(phase);
    const missing = missingIn(phase, new Set([...there, ...borrowed.map((k) => k.node)]));
    if (keeps) {
      for (let t = 0; t < shares; t++) {
        writeElements(missing, t);
        accumulate(phase, t, rest);
        writeStores(phase, t, rest);
      }
      for (const n of missing) there.add(n);
    } else {
      lines.push(`for (var unit = along; unit < ${count}u; unit += ${along}u) {`);
      elementAt(0, 'unit');
      for (const { slot, node } of borrowed) {
        const view = { slot, dtype: nodes[node].dtype, strides, offset: 0 };
        lines.push(...writeLoad(shader, view, strides, domain, placeAt(0), node));
      }
      writeElements(missing, 0);
      accumulate(phase, 0, false);
      writeStores(phase, 0, false);
      lines.push('}');
    }
    joinTotals(phase);
  }
  writeRow(last + 1);
  if (turns > 1) lines.push('}');

  const declarations = [...arrays.values()].join('\n');
  const bytes = arrays.size * outside * across * 4;
  const kernel = shader.kernel({ threads: along * across, groups, declarations, main: lines.join('\n') });
  if (bytes > to.traits.workgroupBytes || kernel.bindings.length > to.traits.storageBuffers) return false;
  to.add(kernel);
  return true;
}
