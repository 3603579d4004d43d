// From a traced graph to the planned program that a backend receives: passes, one after the other, each a function that
// changes nothing it was given. Between them stands what has to hold (verifyKernels, verifyProgram).

import type { Capabilities } from '../backend.ts';
import type { Program } from '../program.ts';
import { fuseBeside } from './beside.ts';
import { fuse } from './fuse.ts';
import type { Graph } from './graph.ts';
import { instructionOf } from './instructions.ts';
import { type Fused, verifyKernels } from './kernels.ts';
import { donationsOf, withOffsets } from './memory.ts';
import { placePrologues } from './prologues.ts';
import { rematerialise } from './rematerialise.ts';
import { fuseRows } from './rows.ts';
import { type ResultSource, SlotTable, withoutUnused } from './slots.ts';
import { verifies, verifyProgram } from './verify.ts';

interface Lowered {
  readonly program: Program;
  /** For each result of the graph: an output of the program, or an input handed through. */
  readonly results: readonly ResultSource[];
}

/** The passes over kernels, in order. */
const PASSES: readonly (readonly [name: string, pass: (fused: Fused, can: Capabilities) => Fused])[] = [
  ['rematerialise', rematerialise],
  ['placePrologues', (fused, can) => placePrologues(fused, can.prologues)],
];

/** The kernels of a graph. */
function kernelsOf(graph: Graph, can: Capabilities): Fused {
  let fused = fuse(graph, can);
  if (verifies()) verifyKernels(fused, 'fuse');
  for (const [name, pass] of PASSES) {
    fused = pass(fused, can);
    if (verifies()) verifyKernels(fused, name);
  }
  return fused;
}

/** `donated`: inputs whose memory may be reused for results. */
export function lower(graph: Graph, label: string, donated: readonly number[], can: Capabilities): Lowered {
  const fused = kernelsOf(graph, can);
  const table = new SlotTable(fused);
  const single = fused.kernels.map((k) => instructionOf(k, fused, table));
  const { slots: used, instructions: apart } = withoutUnused(table.list, fuseRows(table.list, single, can));
  const handedThrough = new Set(table.results.flatMap((r) => ('input' in r ? [r.input] : [])));
  const donations = donationsOf(used, apart, donated, handedThrough);
  const instructions = fuseBeside(used, apart, donations, can);
  const { slots, arenaBytes } = can.arena ? withOffsets(used, instructions) : { slots: used, arenaBytes: 0 };
  const program: Program = {
    label,
    slots,
    instructions,
    arenaBytes,
    inputs: table.inputs,
    outputs: table.outputVars.length,
    donations,
  };
  if (verifies()) verifyProgram(program);
  return { program, results: table.results };
}
