// The kernel around every reduction. A workgroup is a grid of invocations, some along the axes that stay and some along those
// that go; each invocation takes in its share of the elements in order, then a tree joins the shares: within subgroups,
// where their size is known, by exchange, beyond that in workgroup memory. Few results of many elements are cut into chunks
// whose partial results a second kernel joins. The order depends on sizes and device only, never on scheduling.

import { sizeOf } from '../engine/dtype.ts';
import type { Loop } from '../engine/program.ts';
import { coordinates, type Domain, mergeAxes, position, rowMajor } from './axes.ts';
import { CPU_THREADS, GPU_THREADS } from './each.ts';
import { lanesFor } from './loop.ts';
import type { Traits } from './lowering.ts';
import type { Kernel, Shader } from './shader.ts';

interface Grid {
  /** Invocations along results and along what is reduced; their product is the workgroup. */
  readonly across: number;
  readonly along: number;
  /** Reduced elements (or groups of lanes) to a chunk, and chunks. */
  readonly chunk: number;
  readonly chunks: number;
}

export interface Layout extends Grid {
  readonly domain: Domain;
  /** A name for the coordinate along each axis of the domain. */
  readonly names: readonly string[];
  /** Axes of the domain that stay, and those that are reduced. */
  readonly kept: readonly number[];
  readonly gone: readonly number[];
  readonly results: number;
  /** Elements that make a result. */
  readonly count: number;
  /** Do neighbouring elements make one result? Else they belong to neighbouring results. */
  readonly rows: boolean;
  /** Consecutive elements of a result that an invocation takes in at once. */
  readonly lanes: 1 | 4;
  /** Neighbouring results that an invocation works out together. */
  readonly width: 1 | 4;
}

/** The largest power of two that is not greater than n, and the least that is not less. */
export const floorPower = (n: number): number => 2 ** Math.floor(Math.log2(Math.max(1, n)));
export const ceilPower = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

/** Elements, or groups of lanes, of which a CPU keeps as many near. */
const CACHED_ELEMENTS = 2 ** 17;

function gridFor(results: number, count: number, rows: boolean, traits: Traits): Grid {
  const threads = traits.software ? CPU_THREADS : GPU_THREADS;
  const room = rows ? threads : threads / Math.min(32, threads, ceilPower(results));
  const along = Math.min(room, floorPower(count / (rows ? 4 : 8)));
  const across = threads / along;
  const running = Math.ceil(results / across) * threads;
  const enough = traits.software ? 24 * CPU_THREADS : 65536;
  const share = count / along;
  const wanted = running >= enough || share <= 32 ? 1 : Math.ceil(Math.min(enough / running, share / 16));
  // A stretch of columns is left for the next one: rows that are still cached by then come from there.
  const most = traits.software && !rows ? Math.max(64, Math.floor(CACHED_ELEMENTS / results)) : count;
  const chunk = Math.max(1, Math.min(most, Math.ceil(count / wanted)));
  return { across, along, chunk, chunks: Math.max(1, Math.ceil(count / chunk)) };
}

/** How a reduction of a loop's values over these axes is dealt out. There have to be elements. */
export function layoutOf(loop: Loop, axes: readonly number[], traits: Traits): Layout {
  const domain = mergeAxes(loop, axes);
  const kept = domain.sizes.flatMap((_, d) => (domain.reduced[d] ? [] : [d]));
  const gone = domain.sizes.flatMap((_, d) => (domain.reduced[d] ? [d] : []));
  const results = sizeOf(kept.map((d) => domain.sizes[d]));
  const count = sizeOf(gone.map((d) => domain.sizes[d]));
  const rows = gone.length === 0 || domain.reduced[domain.sizes.length - 1];
  const lanes = rows && gone.length > 0 ? lanesFor(domain) : 1;
  const width = !rows && traits.software ? lanesFor(domain) : 1;
  const names = domain.sizes.map((_, d) => `c${d}`);
  const grid = gridFor(results / width, count / lanes, rows, traits);
  return { domain, names, kept, gone, results, count, rows, lanes, width, ...grid };
}

/** A variable of an invocation: the share that it has so far, or part of it. */
export interface Variable {
  readonly name: string;
  readonly type: 'f32' | 'i32' | 'u32' | 'bool';
  readonly start: string;
}

/** What is reduced, as WGSL. */
interface Reducing {
  readonly variables: readonly Variable[];
  /** Before the first element: declarations of what is not joined. */
  readonly before?: string;
  /** Takes in the elements at `at`, whose coordinates are `names`; `first` is the first result. */
  readonly take: string;
  /** After the last element. */
  readonly close?: string;
  /** Joins another share, of whose variables `other` gives the values. */
  readonly join: (other: (v: Variable) => string) => readonly string[];
  /** Stores what is known in the end, for result `first` and its neighbours, of chunk `chunk`. */
  readonly finish: string;
}

/** Statements that join the shares of all invocations of a result, and the workgroup memory it takes. */
function writeTree(
  { variables, join }: Reducing,
  { across, along, rows }: Layout,
  subgroup: number,
): { readonly tree: readonly string[]; readonly declarations: string } {
  const threads = across * along;
  const step = rows ? 1 : across;
  const inside = threads % subgroup === 0 ? Math.max(1, Math.min(along, subgroup / step)) : 1;
  const outside = along / inside;
  const tree: string[] = [];
  for (let apart = step; apart < step * inside; apart *= 2)
    tree.push(...join(({ name }) => `subgroupShuffleXor(${name}, ${apart}u)`));
  if (outside === 1) return { tree, declarations: '' };
  const shares = new Map(variables.map((v, j) => [v.name, `shares${j}`]));
  const store = variables.map(({ name }) => `${shares.get(name)}[share * ${across}u + across] = ${name};`);
  tree.push(`let share = along / ${inside}u;`, `if (along % ${inside}u == 0u) {`, ...store, '}');
  for (let half = outside / 2; half >= 1; half /= 2) {
    tree.push('workgroupBarrier();', `if (along % ${inside}u == 0u && share < ${half}u) {`);
    tree.push(...join(({ name }) => `${shares.get(name)}[(share + ${half}u) * ${across}u + across]`));
    if (half > 1) tree.push(...store);
    tree.push('}');
  }
  const declarations = variables
    .map(({ name, type }) => `var<workgroup> ${shares.get(name)}: array<${type}, ${threads / inside}>;`)
    .join('\n');
  return { tree, declarations };
}

/** The kernel of a reduction. */
export function reductionKernel(shader: Shader, layout: Layout, reducing: Reducing, traits: Traits): Kernel {
  const { domain, names, kept, gone, results, count, rows, lanes, width } = layout;
  const { across, along, chunk, chunks } = layout;
  const { tree, declarations } = writeTree(reducing, layout, traits.subgroup);
  const resultGroups = Math.ceil(results / width / across);
  const sizes = (axes: readonly number[]) => axes.map((d) => domain.sizes[d]);
  const named = (axes: readonly number[]) => axes.map((d) => names[d]);
  const main = `let chunk = group / ${resultGroups}u;
let along = ${rows ? `localIndex % ${along}u` : `localIndex / ${across}u`};
let across = ${rows ? `localIndex / ${along}u` : `localIndex % ${across}u`};
let first = ((group % ${resultGroups}u) * ${across}u + across) * ${width}u;
${coordinates('first', sizes(kept), named(kept))}
${[...reducing.variables.map((v) => `var ${v.name} = ${v.start};`), reducing.before ?? []].flat().join('\n')}
let end = select(0u, min((chunk + 1u) * ${chunk}u, ${count / lanes}u), first < ${results}u);
for (var r = chunk * ${chunk}u + along; r < end; r += ${along}u) {
${lanes === 4 ? 'let element = r * 4u;' : 'let element = r;'}
${coordinates('element', sizes(gone), named(gone))}
let at = ${position(names, rowMajor(domain.sizes))};
${reducing.take}
}
${[reducing.close ?? [], ...tree].flat().join('\n')}
if (along == 0u && first < ${results}u) {
${reducing.finish}
}`;
  return shader.kernel({ threads: across * along, groups: resultGroups * chunks, declarations, main });
}
