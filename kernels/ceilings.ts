// What the device can do at most, by two shaders that do nothing else: multiply-adds that do not wait for each other, out
// of registers, and a = b + s * c over arrays that no cache holds. Times are the device's own where it has a clock.

import type { Ceilings, DeviceBuffer } from '../engine/backend.ts';
import type { Program, Slot } from '../engine/program.ts';
import type { WebGpuBackend } from './backend.ts';
import { secondsOf } from './clock.ts';
import { emitEach } from './each.ts';
import { Lowering, type Traits } from './lowering.ts';

const slot = (kind: Slot['kind'], size: number, index: number): Slot => ({
  kind,
  dtype: 'float32',
  size,
  index,
  offset: 0,
});
/** A program of no instructions: its slots carry kernels that no program asks for. */
const bare = (label: string, inputs: readonly number[], output: number): Program => ({
  label,
  slots: [...inputs.map((n, i) => slot('input', n, i)), slot('output', output, 0)],
  instructions: [],
  arenaBytes: 0,
  inputs: inputs.length,
  outputs: 1,
  donations: [],
});

/** Seconds of the fastest of several runs. */
async function fastest(
  backend: WebGpuBackend,
  lowering: Lowering,
  inputs: readonly DeviceBuffer[],
  output: DeviceBuffer,
): Promise<number> {
  const executable = backend.load(lowering);
  try {
    let best = Number.POSITIVE_INFINITY;
    for (let n = 0; n <= RUNS; n++) {
      const seconds = await secondsOf(backend, () => backend.run(executable, inputs, [output]));
      // The first waits for the shader to be compiled.
      if (n > 0) best = Math.min(best, seconds);
    }
    return best;
  } finally {
    executable.dispose();
  }
}

const RUNS = 5;
const STEPS = 512;

/** `chains` sums for each invocation, none of which waits for another. */
function multiplyAdds(chains: number, threads: number, groups: number, traits: Traits): Lowering {
  const to = new Lowering(bare('ceiling', [4], 4), traits);
  const shader = to.shader('ceiling');
  const [given, out] = [shader.read(0, 'float32'), shader.write(1, 'float32')];
  const sums = Array.from({ length: chains }, (_, c) => `x${c}`);
  // The factor lies in memory, and so does the number no sum will equal: nothing here can be worked out beforehand.
  const main = `let m = ${given}[0];
let a = ${given}[1];
${sums.map((x, c) => `var ${x} = ${given}[2] + f32(localIndex + ${c}u);`).join('\n')}
for (var i = 0u; i < ${STEPS}u; i++) {
${sums.map((x) => `${x} = fma(${x}, m, a);`).join('\n')}
}
if (${sums.join(' + ')} == ${given}[3]) { ${out}[0] = x0; }`;
  to.add(shader.kernel({ threads, groups, main }));
  return to;
}

function triad(length: number, traits: Traits): Lowering {
  const to = new Lowering(bare('ceiling', [length, length], length), traits);
  const shader = to.shader('ceiling');
  const [b, c] = [shader.read(0, 'float32', 4), shader.read(1, 'float32', 4)];
  const a = shader.write(2, 'float32', 4);
  emitEach(shader, length / 4, to, `${a}[at] = ${b}[at] + 3f * ${c}[at];`);
  return to;
}

export async function measureCeilings(backend: WebGpuBackend): Promise<Ceilings> {
  const { traits } = backend;
  const threads = traits.software ? 64 : 256;
  const buffers: DeviceBuffer[] = [];
  const allocate = (elements: number): DeviceBuffer => {
    const buffer = backend.allocate(elements * 4);
    buffers.push(buffer);
    return buffer;
  };
  try {
    const [given, out] = [allocate(4), allocate(4)];
    backend.write(given, Float32Array.of(0.999, 0.001, 1, -1));
    let gflops = 0;
    for (const chains of [8, 16, 32]) {
      // Enough workgroups that starting and ending do not count.
      for (let groups = traits.software ? 64 : 1024; groups <= 65535; groups *= 4) {
        const lowering = multiplyAdds(chains, threads, groups, traits);
        const seconds = await fastest(backend, lowering, [given], out);
        gflops = Math.max(gflops, (2 * chains * STEPS * threads * groups) / seconds / 1e9);
        if (seconds > 0.01) break;
      }
    }
    // A binding's worth, but no more than 128 MiB: three such arrays are more than any cache.
    const bytes = Math.min(traits.bindingBytes, (traits.software ? 32 : 128) * 2 ** 20);
    const length = 2 ** Math.floor(Math.log2(bytes / 4));
    const [b, c, a] = [allocate(length), allocate(length), allocate(length)];
    for (const x of [b, c]) backend.write(x, new Float32Array(length).fill(1));
    const seconds = await fastest(backend, triad(length, traits), [b, c], a);
    return { gflops, triadGBs: (3 * length * 4) / seconds / 1e9 };
  } finally {
    for (const b of buffers) backend.free(b);
  }
}
