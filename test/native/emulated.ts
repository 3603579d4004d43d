// What an emulated processor runs: the core of the conformance suite on the CPU backend, with each instruction set that
// processor has. One line of JSON for each; the other side is emulated.test.ts.

import { createCpuBackend, instructionSets, useInstructionSet } from '../../native/backend.ts';
import { everyPrimitive, products, training } from '../conformance/core.ts';

for (const name of instructionSets()) {
  useInstructionSet(name);
  const cpu = await createCpuBackend({ threads: 2 });
  for (const [check, run] of Object.entries({ everyPrimitive, products, training }))
    console.log(JSON.stringify({ arch: process.arch, name, check, ...(await run(cpu)) }));
  await cpu.close();
}
