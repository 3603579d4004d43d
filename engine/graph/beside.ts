// A pass: small loops over one domain that do not need each other become one. Updates of a layer's parameters, statistics
// and their running means are a few hundred elements each; starting a kernel for each takes longer than its work.

import type { Capabilities } from '../backend.ts';
import { sizeOf } from '../dtype.ts';
import { sameShape } from '../primitives/rules.ts';
import type { Instruction, Loop, Slot, View } from '../program.ts';
import { isInPlace } from './memory.ts';
import { slotOf, slotsRead, slotsWritten } from './touches.ts';

/** How many instructions back a loop is looked for: beyond that it would keep memory for too long. */
const MAX_DISTANCE = 64;

/** Two loops over one domain as one: what both read is read once. */
function joined(a: Loop, b: Loop): Loop {
  const keyOf = (v: View): string => `${v.slot} ${v.offset} ${v.strides}`;
  const known = new Map(a.inputs.map((v, n) => [keyOf(v), n]));
  const more = b.inputs.filter((v) => !known.has(keyOf(v)));
  const inputs = [...a.inputs, ...more];
  more.forEach((v, n) => {
    known.set(keyOf(v), a.inputs.length + n);
  });
  const fromA = (n: number): number => (n < a.inputs.length ? n : n + more.length);
  const fromB = (n: number): number =>
    n < b.inputs.length
      ? (known.get(keyOf(b.inputs[n])) as number)
      : n - b.inputs.length + inputs.length + a.steps.length;
  const moved = (l: Loop, from: (n: number) => number): Pick<Loop, 'steps' | 'stores'> => ({
    steps: l.steps.map((s) => ({ ...s, args: s.args.map(from) })),
    stores: l.stores.map((s) => ({ ...s, value: from(s.value) })),
  });
  const [first, second] = [moved(a, fromA), moved(b, fromB)];
  return {
    shape: a.shape,
    inputs,
    steps: [...first.steps, ...second.steps],
    stores: [...first.stores, ...second.stores],
    reductions: [],
  };
}

/** `donations`: results that lie over arguments, which stays so. */
export function fuseBeside(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
  donations: readonly (readonly [output: number, input: number])[],
  can: Capabilities,
): readonly Instruction[] {
  const lies = new Map(
    donations.map(([output, input]) => [slotOf(slots, 'output', output), slotOf(slots, 'input', input)]),
  );
  const isSmall = (i: Instruction): i is { kind: 'loop'; loop: Loop } =>
    i.kind === 'loop' && i.loop.reductions.length === 0 && sizeOf(i.loop.shape) <= can.beside;
  /** Can one kernel bind it all, and do results still lie where they may? */
  const fits = (i: Instruction): boolean => {
    const places = [...slotsRead(i), ...slotsWritten(i).map((s) => lies.get(s) ?? s)];
    if (new Set(places).size > can.buffers) return false;
    return slotsWritten(i).every((s) => !lies.has(s) || isInPlace(i, s, lies.get(s) as number));
  };

  const done: {
    readonly instruction: Instruction;
    readonly reads: ReadonlySet<number>;
    /** Arguments that results are written over. */
    readonly over: readonly number[];
  }[] = [];
  for (const instruction of instructions) {
    let home = instruction;
    if (isSmall(instruction))
      // What comes before is done as late as this one, so nothing between may need it, or write over what it reads.
      for (let at = done.length - 1; at >= Math.max(0, done.length - MAX_DISTANCE); at--) {
        const before = done[at].instruction;
        if (!isSmall(before) || !isSmall(home) || !sameShape(before.loop.shape, home.loop.shape)) continue;
        const between = done.slice(at + 1);
        const needed = slotsWritten(before).some(
          (s) => slotsRead(home).includes(s) || between.some((d) => d.reads.has(s)),
        );
        if (needed || between.some((d) => d.over.some((s) => done[at].reads.has(s)))) continue;
        const both: Instruction = { kind: 'loop', loop: joined(before.loop, home.loop) };
        if (!fits(both)) continue;
        done.splice(at, 1);
        home = both;
      }
    const over = slotsWritten(home).flatMap((s) => lies.get(s) ?? []);
    done.push({ instruction: home, reads: new Set(slotsRead(home)), over });
  }
  return done.map((d) => d.instruction);
}
