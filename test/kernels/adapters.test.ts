// Which adapters are taken, what is said where none is, and that software drivers are not even loaded unless they may
// be. With a stand-in for navigator.gpu: no adapter is needed here.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requestAdapter } from '../../kernels/device.ts';
import { findAdapter } from '../../kernels/node.ts';

const VARIABLE = 'VK_LOADER_DRIVERS_DISABLE';
let before: string | undefined;
beforeEach(() => {
  before = process.env[VARIABLE];
});
afterEach(() => {
  if (before === undefined) delete process.env[VARIABLE];
  else process.env[VARIABLE] = before;
});

const adapter = (description: string) => ({
  info: { vendor: '', architecture: '', device: '', description, isFallbackAdapter: false },
});

/** A navigator.gpu that has this adapter, and notes which drivers were hidden while it was asked. */
function gpuWith(description: string | null) {
  const hidden: (string | undefined)[] = [];
  const requestAdapter = async () => {
    hidden.push(process.env[VARIABLE]);
    return description === null ? null : adapter(description);
  };
  return { hidden, gpu: { requestAdapter } as unknown as GPU };
}

describe('in Node', () => {
  it.each([
    [undefined, '*lvp*,*swiftshader*'],
    ['*other*', '*other*,*lvp*,*swiftshader*'],
  ])('software drivers are hidden for the moment of asking, beside %s', async (own, during) => {
    if (own === undefined) delete process.env[VARIABLE];
    else process.env[VARIABLE] = own;
    const { gpu, hidden } = gpuWith('a card');
    const found = findAdapter(gpu, { allowSoftware: false });
    expect(process.env[VARIABLE]).toBe(own);
    expect((await found).info.description).toBe('a card');
    await expect(findAdapter(gpuWith(null).gpu, { allowSoftware: false })).rejects.toThrow();
    await findAdapter(gpu, { allowSoftware: true });
    expect(hidden).toEqual([during, own]);
    expect(process.env[VARIABLE]).toBe(own);
  });

  it('says what else there is', async () => {
    await expect(findAdapter(gpuWith(null).gpu, {})).rejects.toThrow(
      /use device 'cpu', or set LETHE_ALLOW_SOFTWARE_GPU=1/,
    );
    await expect(findAdapter(gpuWith('llvmpipe').gpu, {})).rejects.toThrow(
      /software \(llvmpipe\).*LETHE_ALLOW_SOFTWARE_GPU=1/,
    );
  });
});

it.each([
  ['no adapter', null],
  ['a software adapter', 'SwiftShader'],
])('in a browser with %s, nothing is advised that only Node has', async (_, description) => {
  const refused = requestAdapter(gpuWith(description).gpu);
  await expect(refused).rejects.toThrow(/'reference'|useBackend/);
  await expect(refused).rejects.not.toThrow(/cpu|LETHE_|npm/);
});
