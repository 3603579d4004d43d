// The tuner: which products it finds in programs, that it takes nothing with a wrong result, and the table it writes.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { numbers, type Subject, subjectsOf, tuneProduct } from '../../bench/search.ts';
import { sumTolerance } from '../../bench/tasks.ts';
import { programsOfRecipe, runTuning } from '../../bench/tune.ts';
import { device } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { heuristic, readChoice, refusal, writeChoice } from '../../kernels/choice.ts';
import { KERNELS } from '../../kernels/tuning.ts';
import { recipeText } from '../cli/world.ts';
import { describeGpu, open } from '../kernels/support.ts';
import { rootProgram, type Value } from '../native/support.ts';

const of = (...shape: number[]): Value => ({ shape, dtype: 'float32', data: new Float32Array(0) });
const padding = [[1, 1], [1, 1]]; // biome-ignore format: one line
const same = { stride: [1, 1], padding, dilation: [1, 1], groups: 1 };
const dot = (m: number, k: number, n: number) =>
  rootProgram('dot', { transposeA: false, transposeB: false }, [of(m, k), of(k, n)], [of(m, n)]);

it('two orders of a sum lie within the tolerance, and not far within it', () => {
  const [depth, sums] = [1024, 4000];
  const { absolute, relative } = sumTolerance(depth);
  const [a, b] = [numbers(depth * sums, 1), numbers(depth * sums, 2)];
  let worst = 0;
  for (let n = 0; n < sums; n++) {
    const parts = [0, 0, 0, 0];
    let plain = 0;
    for (let k = 0; k < depth; k++) {
      const x = a[n * depth + k] * b[n * depth + k];
      plain = Math.fround(plain + x);
      const part = Math.floor((4 * k) / depth);
      parts[part] = Math.fround(parts[part] + x);
    }
    const cut = parts.reduce((s, x) => Math.fround(s + x));
    worst = Math.max(worst, Math.abs(cut - plain) / (absolute + relative * Math.abs(plain)));
  }

  expect(worst).toBeLessThan(1);
  expect(worst).toBeGreaterThan(0.03);
});

describeGpu('the tuner', () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await open({ tuning: 'off' });
  });
  afterAll(() => gpu.close());

  it('finds each class of products once, with no more images than the class needs', () => {
    const conv = rootProgram(
      'conv',
      same,
      [of(1, 256, 16, 16, 8), of(1, 3, 3, 8, 4)],
      [of(1, 256, 16, 16, 4)],
    );
    const found = subjectsOf(
      [dot(40, 50, 60), dot(64, 64, 64), conv, rootProgram('sum', { axes: [0] }, [of(4)], [of()])],
      gpu,
    );
    expect(found.map((s) => s.key)).toEqual(['dot 64x64x64x1', 'conv 8192x4x128x1']);
    // 8192 pixels are rounded up from 4097, and so from 17 images of 256; halves of 256 images end at 32.
    expect(found[1].program.slots.map((s) => s.size)).toEqual([32 * 256 * 8, 3 * 3 * 8 * 4, 32 * 256 * 4]);
  });

  const subject = (): Subject => subjectsOf([dot(48, 64, 40)], gpu)[0];
  it('measures candidates and chooses one that the device can run', async () => {
    const { key, shape } = subject();
    const found = await tuneProduct(gpu, subject(), 2);
    expect(found.key).toBe(key);
    expect(found.tried).toBeGreaterThan(1);
    expect(found.refused).toEqual([]);
    expect(found.heuristic).toBe(writeChoice(heuristic(shape, gpu.traits)));
    const choice = readChoice(found.choice);
    expect(choice && refusal(choice.tiles, gpu.traits, shape.dtype)).toBeNull();
    expect(found.ms).toBeGreaterThan(0);
    expect(found.ms).toBeLessThanOrEqual(found.heuristicMs);
    expect(gpu.memory()).toEqual({ buffers: 0, bytes: 0 });
  });
  /** The device with one of its methods replaced. */
  const but = <Name extends 'read' | 'run'>(name: Name, method: WebGpuBackend[Name]): WebGpuBackend =>
    new Proxy(gpu, {
      get: (target, key) => {
        if (key === name) return method;
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  it('takes nothing whose result is wrong, however fast', async () => {
    let reads = 0;
    // Every result after the first, which is the heuristic's, has a wrong element.
    const wrong = but('read', async (...args) => {
      const got = await gpu.read(...args);
      if (reads++ > 0) got[7] += 1e-3;
      return got;
    });
    const found = await tuneProduct(wrong, subject(), 1);
    expect(found.choice).toBe(found.heuristic);
    expect(found.refused.length).toBe(found.tried - 1);
    expect(found.refused[0]).toMatch(/^\w+ [\dx]+ of \d+x\d+.*: element 7 is -?[\d.]+, not -?[\d.]+$/);
  });
  it('takes nothing that writes nothing, though the right result lay there before', async () => {
    let first: unknown = null;
    const idle = but('run', (executable, ...buffers) => {
      first ??= executable;
      if (executable === first) gpu.run(executable, ...buffers);
    });
    const found = await tuneProduct(idle, subject(), 1);
    expect(found.choice).toBe(found.heuristic);
    expect(found.refused.length).toBe(found.tried - 1);
    expect(found.refused[0]).toContain('element 0 is NaN');
  });
});

describeGpu('lethe bench tune', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-tune-'));
  const out = join(folder, 'table.json');
  beforeAll(() => vi.stubEnv('LETHE_ALLOW_SOFTWARE_GPU', '1'));
  afterAll(async () => {
    vi.unstubAllEnvs();
    await lt.close();
    rmSync(folder, { recursive: true, force: true });
  });
  it('writes the table of the adapter, and adds to it', async () => {
    const lines: string[] = [];
    const run = () => runTuning({ filter: 'dense', seconds: 0.01, out, onLine: (l) => lines.push(l) });
    const { adapter, tuned } = await run();
    const key = 'dot 128x128x4096x1';
    expect(tuned.map((t) => t.key)).toEqual([key]);
    const written = JSON.parse(readFileSync(out, 'utf8'));
    expect(written).toEqual({ format: 1, kernels: KERNELS, adapter, choices: { [key]: tuned[0].choice } });
    expect(lines.at(-1)).toMatch(
      /^1\/1 dot 128x128x4096x1: \w+ [\dx]+ of \dx\d.*, [\d.]+ ms, [\d.]+ GFLOP\/s, /,
    );
    await expect(runTuning({ filter: 'nothing like it', seconds: 1, out })).rejects.toThrow(
      'no case contains',
    );
  });

  it("finds the products of a recipe's training step", async () => {
    const recipe = join(folder, 'toy.yaml');
    writeFileSync(recipe, recipeText);
    await lt.init({ device: 'webgpu' });
    const backend = device().backend as WebGpuBackend;
    const programs = await programsOfRecipe(backend, recipe);
    const found = subjectsOf(programs, backend).map((s) => s.key.split(' ')[0]);
    expect(new Set(found)).toEqual(new Set(['conv', 'convGradInput', 'convGradWeight', 'dot']));
  });
});
