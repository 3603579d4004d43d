// A planned program as text: what memory there is, then each instruction with what it reads, computes and writes. A change
// of a plan is then a visible difference in a test. Graphs have printGraph (graph.ts).

import { showAval, showShape } from '../dtype.ts';
import type { Instruction, Loop, Operand, Program, Rows, RowValue, Slot, Step, View } from '../program.ts';
import { showParams } from './graph.ts';

const read = ({ slot, strides, offset }: View): string =>
  `slot ${slot} by ${strides.join(' ') || '-'}${offset === 0 ? '' : ` from ${offset}`}`;

const computed = ({ op, value, args, dtype }: Step): string =>
  [op, value, ...args.map((a) => `v${a}`), op === 'convert' ? `to ${dtype}` : undefined]
    .filter((word) => word !== undefined)
    .join(' ');

/** What a value of work on rows is: read with which strides, computed from which values, or reduced. */
export function printRowValue(v: RowValue): string {
  switch (v.kind) {
    case 'load':
      return read(v.view);
    case 'step':
      return computed(v.step);
    case 'reduction':
      return `${v.op} v${v.value}${v.divisor === 1 ? '' : ` / ${v.divisor}`}`;
  }
}

function printSlot({ kind, dtype, size, index, offset }: Slot, n: number, arenaBytes: number): string {
  const place = kind !== 'temporary' ? ` ${index}` : arenaBytes > 0 ? ` at byte ${offset}` : '';
  return `slot ${n} = ${kind}${place}, ${size} ${dtype}`;
}

/** `result`: the loop is an epilogue, whose values have the operation's result after the inputs. */
function printLoop({ inputs, steps, stores, reductions }: Loop, result: boolean): string[] {
  const values = [...inputs.map(read), ...(result ? ['the result'] : []), ...steps.map(computed)];
  return [
    ...values.map((v, n) => `v${n} = ${v}`),
    ...stores.map((s) => `slot ${s.slot} = v${s.value}`),
    ...reductions.map((r) => `slot ${r.slot} = ${r.op} v${r.value} along ${r.axes.join(' ')}`),
  ];
}

const printRows = ({ values, stores, columns }: Rows): string[] => [
  ...values.map((v, n) => `v${n} = ${printRowValue(v)}${v.perRow ? ', one a row' : ''}, pass ${v.pass}`),
  ...stores.map((s) => `slot ${s.slot} = v${s.value}`),
  ...columns.map((s) => `slot ${s.slot} = sum v${s.value} over all rows`),
];

const printOperand = (o: Operand): string => `${o.slot < 0 ? '' : `slot ${o.slot}:`}${showAval(o)}`;

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

function printInstruction(i: Instruction): string[] {
  if (i.kind === 'loop')
    return [`loop over ${showShape(i.loop.shape)}`, ...indented(printLoop(i.loop, false))];
  if (i.kind === 'rows') {
    const { shape, axes } = i.rows;
    return [`rows over ${showShape(shape)} along ${axes.join(' ')}`, ...indented(printRows(i.rows))];
  }
  const params = showParams(i.params);
  const part = (name: string, loop: Loop | null, result: boolean): string[] =>
    loop === null
      ? []
      : indented([`${name} over ${showShape(loop.shape)}`, ...indented(printLoop(loop, result))]);
  return [
    `op ${i.op}${params && `[${params}]`} ${i.inputs.map(printOperand).join(' ')} -> ${i.outputs.map(printOperand).join(' ')}`,
    ...i.prologues.flatMap((p, k) => part(`prologue of operand ${k}`, p, false)),
    ...part('epilogue', i.epilogue, true),
  ];
}

/**
 * The slots of a program, then its instructions. `v` numbers the values of a loop, and `slot 2 by 0 1` is a read with
 * these strides over its domain.
 */
export const printProgram = ({ label, slots, instructions, arenaBytes, donations }: Program): string =>
  [
    arenaBytes > 0 ? `${label}, arena of ${arenaBytes} bytes` : label,
    ...slots.map((s, n) => printSlot(s, n, arenaBytes)),
    ...donations.map(([output, input]) => `output ${output} lies over input ${input}`),
    ...instructions.flatMap(printInstruction),
  ].join('\n');
