// What the planner may ask of these kernels, by what the device can do.

import type { Capabilities } from '../engine/backend.ts';
import { GPU_THREADS } from './each.ts';
import type { Traits } from './lowering.ts';

/**
 * A workgroup does a row alone. With rows for a good part of the device's cores that keeps it busy; and a row that is read
 * within the time that it takes to start another kernel is better done by one workgroup than by two kernels. Beyond that,
 * few and long rows are cut into pieces by kernels of their own (reduce.ts).
 */
const BUSY_ROWS = { hardware: 256, software: 16 } as const;
const SHORT_ROW = 16384;
/** Elements that a device computes in less time than it takes to start a kernel. */
const BESIDE_ELEMENTS = 65536;

export const capabilitiesOf = (traits: Traits): Capabilities => ({
  // On a software adapter the computing costs more than the memory traffic it saves: a training step takes 10 to 20 % longer.
  prologues: traits.software ? [] : ['dot', 'conv', 'convGradInput', 'convGradWeight'],
  epilogues: ['dot', 'conv', 'convGradInput'],
  buffers: traits.storageBuffers,
  bindingBytes: traits.bindingBytes,
  // No buffer may be read and written in one dispatch, whatever the ranges; and kernels add temporaries of their own.
  arena: false,
  beside: BESIDE_ELEMENTS,
  rows: {
    busy: traits.software ? BUSY_ROWS.software : BUSY_ROWS.hardware,
    short: SHORT_ROW,
    shortest: 1,
    longest: Number.POSITIVE_INFINITY,
    // Each has two arrays of shares in turn, a number for each invocation.
    reductions: Math.floor(traits.workgroupBytes / (2 * 4 * GPU_THREADS)),
    // Workgroups would have to wait for each other.
    columns: false,
  },
});
