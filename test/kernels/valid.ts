// Are programs valid WebGPU on every kind of device? Dawn's null backend has no driver and computes nothing, but it
// compiles every shader and checks every pipeline, bind group and dispatch as a real device does, on any machine. Each
// program is compiled and replayed on one null device for each kind of hardware the emitters know. Not a test itself.

import type { Program } from '../../engine/program.ts';
import { createWebGpuBackend, type WebGpuBackend } from '../../kernels/backend.ts';
import { PORTABLE as portable, type Traits } from '../../kernels/lowering.ts';
import { MATRIX_FEATURE, type MatrixConfig } from '../../kernels/matrix.ts';
import { dawn } from '../../kernels/node.ts';

interface Kind {
  readonly features: readonly GPUFeatureName[];
  readonly traits: Partial<Traits>;
}

const matrix = (componentType: string, size: number): MatrixConfig => ({
  componentType,
  resultComponentType: 'f32',
  M: size,
  N: size,
  K: size,
});

/** All with the portable limits of WebGPU: the null adapter offers no more. */
export const KINDS: Readonly<Record<string, Kind>> = {
  'no optional features': { features: [], traits: { subgroup: 0, software: false } },
  'subgroups of 32': { features: ['subgroups'], traits: { subgroup: 32, software: false } },
  'shader-f16': { features: ['shader-f16'], traits: { subgroup: 0, software: false } },
  'matrices of float16': {
    features: ['subgroups', 'shader-f16', MATRIX_FEATURE],
    traits: { subgroup: 32, software: false, matrices: [matrix('f16', 16)] },
  },
  'matrices of float32': {
    features: ['subgroups', MATRIX_FEATURE],
    traits: { subgroup: 32, software: false, matrices: [matrix('f32', 8)] },
  },
  software: { features: ['subgroups'], traits: { subgroup: 8, software: true } },
};

/** What WebGPU guarantees everywhere, without the features. */
const { storageBuffers, bindingBytes, workgroupBytes, invocations } = portable;
export const PORTABLE = { storageBuffers, bindingBytes, workgroupBytes, invocations };

/** A backend that does everything but compute, as on a device of the kind. */
export async function openNull(kind: keyof typeof KINDS): Promise<WebGpuBackend> {
  const { features, traits } = KINDS[kind];
  let gpu: GPU | null = await dawn(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('Dawn has no null adapter');
  const device = await adapter.requestDevice({ requiredFeatures: [...features] });
  const onClose = () => {
    device.destroy();
    gpu = null;
  };
  return createWebGpuBackend({ device, limits: { ...PORTABLE, ...traits }, onClose });
}

/** Compiles programs and replays each once; rejects with the first thing the device finds wrong. */
export async function replay(backend: WebGpuBackend, programs: readonly Program[]): Promise<void> {
  for (const p of programs) {
    const executable = backend.compile(p);
    const buffers = (kind: 'input' | 'output') =>
      p.slots
        .filter((s) => s.kind === kind)
        .sort((a, b) => a.index - b.index)
        .map((s) => backend.allocate(s.size * 4));
    const [inputs, outputs] = [buffers('input'), buffers('output')];
    backend.run(executable, inputs, outputs);
    for (const b of [...inputs, ...outputs]) backend.free(b);
    executable.dispose();
  }
  await backend.sync();
}

/** Waiting for the device costs far more than checking a program: this many are checked at a time. */
const AT_ONCE = 100;

const halves = ({ slots }: Program): boolean => slots.some((s) => s.dtype === 'float16');

/** What is wrong with the programs, and on which kind of device: nothing, if all is well; else a few of the problems. */
export async function problemsOf(programs: readonly Program[]): Promise<string[]> {
  const problems: string[] = [];
  for (const kind of Object.keys(KINDS)) {
    const backend = await openNull(kind);
    // On devices without float16 such programs are refused; those without float16 are the same on devices that have it.
    const fitting = programs.filter((p) => halves(p) === backend.supports('float16'));
    for (let i = 0; i < fitting.length; i += AT_ONCE)
      await replay(backend, fitting.slice(i, i + AT_ONCE)).catch((error: Error) =>
        problems.push(`${kind}: ${error.message}`),
      );
    await backend.close();
  }
  return problems;
}
