// The check that programs are valid WebGPU can itself fail, and says what it found. Needs no GPU and no driver.

import { expect, it } from 'vitest';
import type { DType } from '../../engine/dtype.ts';
import { rootProgram } from '../native/support.ts';
import { describeDawn } from './support.ts';
import { KINDS, openNull, PORTABLE, problemsOf, replay } from './valid.ts';

const product = (dtype: DType = 'float32') => {
  const like = (...shape: number[]) => ({ shape, dtype });
  const params = { transposeA: false, transposeB: false };
  return rootProgram('dot', params, [like(64, 48), like(48, 80)], [like(64, 80)]);
};

describeDawn('validity', () => {
  it('finds nothing wrong with a product on any kind of device', async () => {
    expect(await problemsOf([product(), product('float16')])).toEqual([]);
  });

  it('the devices offer what WebGPU guarantees, and no feature that was not asked for', async () => {
    for (const [kind, { features }] of Object.entries(KINDS)) {
      const backend = await openNull(kind);
      const { limits } = backend.device;
      expect({
        storageBuffers: limits.maxStorageBuffersPerShaderStage,
        bindingBytes: limits.maxStorageBufferBindingSize,
        workgroupBytes: limits.maxComputeWorkgroupStorageSize,
        invocations: limits.maxComputeInvocationsPerWorkgroup,
      }).toEqual(PORTABLE);
      const offered = [...backend.device.features].filter((f) => f !== 'core-features-and-limits');
      expect(offered.sort()).toEqual([...features].sort());
      await backend.close();
    }
  });

  /** A device on which each shader is changed before it is compiled. */
  const spoilt = async (kind: string, change: (code: string) => string): Promise<string> => {
    const backend = await openNull(kind);
    const { device } = backend;
    const make = device.createShaderModule.bind(device);
    device.createShaderModule = (d) => make({ ...d, code: change(d.code) });
    const error = await replay(backend, [product()]).then(
      () => null,
      (e: Error) => e,
    );
    await backend.close();
    return error?.message ?? 'nothing';
  };

  it('reports what is wrong with a shader, with the labels of program and kernel', async () => {
    const kind = 'no optional features';
    const typo = await spoilt(kind, (code) => code.replace('let group =', 'let group: f32 ='));
    expect(typo).toMatch(/^WebGPU: test: dot.*cannot initialize 'let' of type 'f32'/s);
    const greedy = await spoilt(kind, (code) =>
      code.replace(/@workgroup_size\(\d+\)/, '@workgroup_size(257)'),
    );
    expect(greedy).toMatch(/^WebGPU: test: .*257/s);
    const memory = 'var<workgroup> much: array<f32, 4097>;';
    const large = await spoilt(kind, (code) =>
      `${memory}${code}`.replace(/let group =/, 'much[0] = 1; let group ='),
    );
    expect(large).toMatch(/^WebGPU: test: .*workgroup storage/s);
    expect(await spoilt(kind, (code) => `enable subgroups;${code}`)).toMatch(
      /^WebGPU: test: dot.*subgroups/s,
    );
    const bindings = await spoilt(kind, (code) => code.replace('@binding(0)', '@binding(7)'));
    expect(bindings).toMatch(/^WebGPU: test: .*bind/is);
  });
});
