// From a traced graph to the planned program that a backend receives: passes, one after the other.

import type { Capabilities } from '../backend.ts';
import type { Program } from '../program.ts';
import { fuse } from './fuse.ts';
import type { Graph } from './graph.ts';
import { instructionOf } from './instructions.ts';
import { donationsOf, inArena } from './memory.ts';
import { fuseRows } from './rows.ts';
import { type ResultSource, SlotTable, withoutUnused } from './slots.ts';

interface Lowered {
  readonly program: Program;
  /** For each result of the graph: an output of the program, or an input handed through. */
  readonly results: readonly ResultSource[];
}

/** `donated`: inputs whose memory may be reused for results. */
export function lower(graph: Graph, label: string, donated: readonly number[], can: Capabilities): Lowered {
  const fused = fuse(graph, can);
  const table = new SlotTable(graph, fused);
  const loops = fused.kernels.map((k) => instructionOf(k, fused, table));
  const { slots: used, instructions } = withoutUnused(table.list, fuseRows(table.list, loops, can));
  const handedThrough = new Set(table.results.flatMap((r) => ('input' in r ? [r.input] : [])));
  const donations = donationsOf(used, instructions, donated, handedThrough);
  const { slots, arenaBytes } = inArena(used, instructions);
  return {
    program: {
      label,
      slots,
      instructions,
      arenaBytes,
      inputs: table.inputs,
      outputs: table.outputVars.length,
      donations,
    },
    results: table.results,
  };
}
