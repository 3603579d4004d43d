// Pipelines by their source: equal work is equal source and is compiled once, asynchronously and in parallel. Layouts say
// in which order a kernel's buffers are read or written, and few do for all kernels.

import type { Kernel } from './shader.ts';

/** More than a session of eager work with many shapes makes. */
const MAX_PIPELINES = 4096;
/** GPUShaderStage.COMPUTE. */
const COMPUTE = 4;

interface Layout {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

export class Pipelines {
  /** Compiled so far. */
  made = 0;
  readonly #known = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, Layout>();

  /** `most`: how many are found again. Those who use an older one keep it. */
  constructor(
    private readonly device: GPUDevice,
    private readonly most = MAX_PIPELINES,
  ) {}

  layoutOf({ bindings }: Kernel): Layout {
    const key = bindings.map((b) => (b.write ? 'w' : 'r')).join('');
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      const group = this.device.createBindGroupLayout({
        entries: bindings.map(({ write }, binding) => ({
          binding,
          visibility: COMPUTE,
          buffer: { type: write ? 'storage' : 'read-only-storage' },
        })),
      });
      layout = { group, pipeline: this.device.createPipelineLayout({ bindGroupLayouts: [group] }) };
      this.#layouts.set(key, layout);
    }
    return layout;
  }
  of(k: Kernel): Promise<GPUComputePipeline> {
    let pipeline = this.#known.get(k.source);
    if (pipeline === undefined) {
      pipeline = this.#compile(k);
      this.made++;
      const [oldest] = this.#known.keys();
      if (this.#known.size >= this.most) this.#known.delete(oldest);
      this.#known.set(k.source, pipeline);
    }
    return pipeline;
  }
  clear(): void {
    this.#known.clear();
    this.#layouts.clear();
  }

  /** Fails with what the shader compiler says, not with its consequences. */
  async #compile(k: Kernel): Promise<GPUComputePipeline> {
    this.device.pushErrorScope('validation');
    const module = this.device.createShaderModule({ label: k.label, code: k.source });
    const invalid = this.device.popErrorScope();
    const pipeline = this.device.createComputePipelineAsync({
      label: k.label,
      layout: this.layoutOf(k).pipeline,
      compute: { module, entryPoint: 'main' },
    });
    pipeline.catch(() => {});
    const error = await invalid;
    if (error)
      throw new Error(
        `${k.label}: the driver refuses a kernel, a fault in Lethe or in the driver; device 'cpu' does without both: ${error.message}`,
      );
    return pipeline;
  }
}
