// The operand of a product as its factor sees it: floats at an index. They lie in memory, or a prologue computes them from
// what lies there, each time they are fetched. Where there is nothing to fetch (padding, the edge of a tile) is the factor's
// business: it puts zero in place of the operand, so a prologue never sees it.

import { type DType, sizeOf } from '../engine/dtype.ts';
import type { Loop, Operand, OpInstruction } from '../engine/program.ts';
import { coordinates, mergeAxes } from './axes.ts';
import { valueName, writeLoop } from './loop.ts';
import type { Lowering } from './lowering.ts';
import type { Shader } from './shader.ts';

/** What is fetched: the slot, or what the prologue makes of its inputs. */
export interface Source {
  readonly slot: number;
  readonly dtype: DType;
  readonly prologue: Loop | null;
}

/** An element, or a vector of four, as f32: the expression for its index. */
export type Load = (index: string) => string;

export const sourcesOf = (i: OpInstruction): (Operand & Source)[] =>
  i.inputs.map((x, k) => ({ ...x, prologue: i.prologues[k] ?? null }));

/** Slots that fetching reads. */
export const slotsOf = ({ slot, prologue }: Source): number[] =>
  prologue ? prologue.inputs.map((v) => v.slot) : [slot];

/** Can one kernel compute all of its operands' prologues, beside writing a result? */
export function fetches(sources: readonly Source[], { slots, traits }: Lowering): boolean {
  // A slot may be bound twice, as elements and as vectors: every view counts.
  const read = sources.flatMap(slotsOf);
  return (
    read.length < traits.storageBuffers &&
    sources.every(
      ({ prologue }) =>
        prologue === null ||
        (sizeOf(prologue.shape) > 0 &&
          prologue.inputs.every((v) => slots[v.slot].size * 4 <= traits.bindingBytes)),
    )
  );
}

/**
 * How an operand is read. `whole`: its last axis is a multiple of four, and indices count vectors of four; else elements.
 * The declarations belong into the module; `side` keeps their names apart.
 */
export function reader(
  shader: Shader,
  side: 'A' | 'B',
  { slot, dtype, prologue }: Source,
  whole: boolean,
): { readonly load: Load; readonly declarations: string } {
  if (prologue === null) return { load: shader.floats(slot, dtype, whole ? 4 : 1), declarations: '' };
  const domain = mergeAxes(prologue);
  const names = domain.sizes.map((_, d) => `c${d}`);
  const value = prologue.inputs.length + prologue.steps.length - 1;
  const values = (whole ? [0, 1, 2, 3] : [0]).map((lane) => valueName(value, lane));
  return {
    load: (index) => `computed${side}(${whole ? `(${index}) * 4u` : index})`,
    declarations: `fn computed${side}(at: u32) -> ${whole ? 'vec4<f32>' : 'f32'} {
${coordinates('at', domain.sizes, names)}
${writeLoop(shader, prologue, domain, { names, flat: 'at', lanes: whole ? 4 : 1 })}
return ${whole ? `vec4(${values.join(', ')})` : values[0]};
}`,
  };
}
