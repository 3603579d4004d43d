// From a planned program to dispatches: work on rows as kernels of rows (rows.ts), every other instruction through the
// emitter of its root, bodies through the generator.
// The table is total over the engine's roots: a primitive without kernels does not compile.

import { sizeOf } from '../engine/dtype.ts';
import type { Body, Instruction, Program, RootInstruction, RootName } from '../engine/program.ts';
import { attentionEmitters } from './attention.ts';
import { valueTypes } from './body.ts';
import type { Tuning } from './choice.ts';
import { convEmitters } from './conv.ts';
import { dotEmitters } from './dot.ts';
import { gatherEmitters } from './gather.ts';
import { type Emitter, Lowering, type Traits, withRootInMemory } from './lowering.ts';
import { movementEmitters } from './movement.ts';
import { fetches, sourcesOf } from './operand.ts';
import { poolEmitters } from './pool.ts';
import { randomEmitters } from './random.ts';
import { emitBody, reduceEmitters } from './reduce.ts';
import { lowerRows } from './rows.ts';
import { scanEmitters } from './scan.ts';
import { sortEmitters } from './sort.ts';

const ROOTS: { readonly [K in RootName]: Emitter<K> } = {
  ...movementEmitters,
  ...reduceEmitters,
  ...scanEmitters,
  ...sortEmitters,
  ...gatherEmitters,
  ...dotEmitters,
  ...convEmitters,
  ...attentionEmitters,
  ...poolEmitters,
  ...randomEmitters,
};

const emit = <K extends RootName>(i: RootInstruction<K>, to: Lowering): void => ROOTS[i.root](i, to);

/** Roots whose kernels take prologues and an epilogue; the others' bodies run after them. */
const FUSES = new Set<RootName>(['dot', 'conv', 'convGradInput', 'convGradWeight']);

/**
 * The kernels that a device with these traits runs for a program, without a device. `tuning` gives measured choices of
 * tiles; default: the heuristic.
 * @throws 'dtype' for element types the device lacks, 'device' for arrays larger than it binds.
 */
export function lower(program: Program, traits: Traits, tuning?: Tuning): Lowering {
  const to = new Lowering(program, traits, tuning);
  lowerRows(program, to, (i) => lowerInstruction(i, to));
  return to;
}

function lowerInstruction(i: Instruction, to: Lowering): void {
  if (i.root === null) {
    if (i.body) emitBody(i.body, to);
    return;
  }
  const { inputs, prologues } = withPrologues(i, to);
  const keepsOpen = i.body !== null && FUSES.has(i.root);
  const outputs = i.outputs.map((o) =>
    o.slot >= 0 || keepsOpen ? o : { ...o, slot: to.scratch(sizeOf(o.shape), o.dtype) },
  );
  const body = keepsOpen ? i.body : null;
  emit({ ...i, inputs, outputs, prologues, body }, to);
  if (i.body && !keepsOpen)
    emitBody(withRootInMemory(i.body, outputs[0].slot, outputs[0].dtype), to, `${i.root} epilogue`);
}

/** Those prologues that do not fit into the kernel are computed beforehand. */
function withPrologues(i: Instruction, to: Lowering): Pick<Instruction, 'inputs' | 'prologues'> {
  const inputs = [...i.inputs];
  const prologues = [...(i.prologues ?? [])];
  prologues.forEach((prologue, k) => {
    if (prologue === null || fetches(sourcesOf({ ...i, inputs, prologues }), to)) return;
    inputs[k] = { ...inputs[k], slot: computed(prologue, to) };
    prologues[k] = null;
  });
  return { inputs, prologues };
}

/** The value of a prologue, in memory of its own. */
function computed(prologue: Body, to: Lowering): number {
  const types = valueTypes(prologue, null);
  const value = types.length - 1;
  const slot = to.scratch(sizeOf(prologue.shape), types[value]);
  emitBody({ ...prologue, stores: [{ value, slot }] }, to, 'prologue');
  return slot;
}
