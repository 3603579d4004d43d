// From a planned program to dispatches: operations through their emitters, loops and work on rows through generators.
// The table is total over the engine's operations: a primitive without kernels does not compile.

import { sizeOf } from '../engine/dtype.ts';
import { ROOTS } from '../engine/primitives/table.ts';
import type { Instruction, Loop, OpInstruction, Program, RootName } from '../engine/program.ts';
import { attentionEmitters } from './attention.ts';
import type { Tuning } from './choice.ts';
import { convEmitters } from './conv.ts';
import { dotEmitters } from './dot.ts';
import { gatherEmitters } from './gather.ts';
import { type Emitter, Lowering, type Traits, withResultInMemory } from './lowering.ts';
import { momentsEmitters } from './moments.ts';
import { movementEmitters } from './movement.ts';
import { fetches, sourcesOf } from './operand.ts';
import { poolEmitters } from './pool.ts';
import { randomEmitters } from './random.ts';
import { emitLoop, reduceEmitters } from './reduce.ts';
import { emitRows } from './rows.ts';
import { scanEmitters } from './scan.ts';
import { sortEmitters } from './sort.ts';
import { valueTypes } from './split.ts';

const OPS: { readonly [K in RootName]: Emitter<K> } = {
  ...movementEmitters,
  ...reduceEmitters,
  ...momentsEmitters,
  ...scanEmitters,
  ...sortEmitters,
  ...gatherEmitters,
  ...dotEmitters,
  ...convEmitters,
  ...attentionEmitters,
  ...poolEmitters,
  ...randomEmitters,
};

const emit = <K extends RootName>(i: OpInstruction<K>, to: Lowering): void => OPS[i.op](i, to);

/**
 * The kernels that a device with these traits runs for a program, without a device. `tuning` gives measured choices of
 * tiles; default: the heuristic.
 * @throws 'dtype' for element types the device lacks, 'device' for arrays larger than it binds.
 */
export function lower(program: Program, traits: Traits, tuning?: Tuning): Lowering {
  const to = new Lowering(program, traits, tuning);
  program.instructions.forEach((i, n) => {
    to.instruction = n;
    lowerInstruction(i, to);
  });
  return to;
}

function lowerInstruction(i: Instruction, to: Lowering): void {
  switch (i.kind) {
    case 'op':
      lowerOp(i, to);
      break;
    case 'loop':
      emitLoop(i.loop, to);
      break;
    case 'rows':
      emitRows(i.rows, to);
  }
}

function lowerOp(i: OpInstruction, to: Lowering): void {
  const { inputs, prologues } = withPrologues(i, to);
  // The epilogue of an operation whose kernel takes none runs after it.
  const fuses = i.epilogue !== null && ROOTS[i.op];
  const outputs = i.outputs.map((o) =>
    o.slot >= 0 || fuses ? o : { ...o, slot: to.scratch(sizeOf(o.shape), o.dtype) },
  );
  emit({ ...i, inputs, outputs, prologues, epilogue: fuses ? i.epilogue : null }, to);
  if (i.epilogue && !fuses)
    emitLoop(withResultInMemory(i.epilogue, outputs[0].slot, outputs[0].dtype), to, `${i.op} epilogue`);
}

/** Those prologues that do not fit into the kernel are computed beforehand. */
function withPrologues(i: OpInstruction, to: Lowering): Pick<OpInstruction, 'inputs' | 'prologues'> {
  const inputs = [...i.inputs];
  const prologues = [...i.prologues];
  prologues.forEach((prologue, k) => {
    if (prologue === null || fetches(sourcesOf({ ...i, inputs, prologues }), to)) return;
    inputs[k] = { ...inputs[k], slot: computed(prologue, to) };
    prologues[k] = null;
  });
  return { inputs, prologues };
}

/** The value of a prologue, in memory of its own. */
function computed(prologue: Loop, to: Lowering): number {
  const types = valueTypes(prologue, null);
  const value = types.length - 1;
  const slot = to.scratch(sizeOf(prologue.shape), types[value]);
  emitLoop({ ...prologue, stores: [{ value, slot }] }, to, 'prologue');
  return slot;
}
