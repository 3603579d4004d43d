// A whole run on WebGPU: train, retrain, two methods, evaluation, report, from a recipe. It ends with what the same run
// on the CPU ends with, and the command line ends with the bits of the library.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, inject, it, vi } from 'vitest';
import * as lt from '../../../index.ts';
import { run } from '../../../unlearn/run.ts';
import type { Results } from '../../../unlearn/types.ts';
import { compiled } from '../../compiled.ts';

const recipe = {
  name: 'small',
  dataset: { name: 'glyphs', options: { trainSize: 400, testSize: 200 } },
  forget: { class: 3 },
  model: { name: 'mlp', options: { hidden: [64] } },
  train: { epochs: 8, batchSize: 40, learningRate: 0.04, momentum: 0.9 },
  // Batches of one size, so that each step is compiled once: on software that is what takes the time.
  methods: [
    { name: 'retrain' },
    { name: 'boundaryShrink', options: { epochs: 2, batchSize: 40, learningRate: 1e-3 } },
  ],
  evaluate: { batchSize: 40 },
};

/**
 * How far weights may be apart, relative to their length. The two add up in different orders, so that each of the 80
 * steps rounds differently in the last place of float32; nothing in this network (no pooling, whose choice between equal
 * pixels a last place decides) makes more of it.
 */
const WEIGHTS = 80 * 2 ** -23;
/** Rates may differ by one picture of the smallest set, the 40 forgotten ones; entropies are means of smooth functions. */
const allowed = (metric: string): number =>
  metric.startsWith('entropy') ? 1e-4 : metric === 'tow' ? 3 / 40 : 100 / 40;

const absent = inject('absent');
describe.skipIf(absent.webgpu !== null || absent.cpu !== null)('a run on WebGPU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-webgpu-'));
  // Winograd's transforms round more coarsely than another order of sums does: the CPU goes without.
  vi.stubEnv('LETHE_EXACT', '1');
  afterAll(async () => {
    vi.unstubAllEnvs();
    await lt.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const on = async (device: 'webgpu' | 'cpu'): Promise<Results> => {
    await lt.close();
    const { results, failures } = await run(recipe, { out: join(folder, device), device });
    expect(failures).toEqual([]);
    return results as Results;
  };
  const read = (name: string, file: string): Buffer => readFileSync(join(folder, name, file));
  const cells = ['original', 'retrain', 'boundaryShrink'].map((name) => `seed-0-${name}`);

  it('ends with the metrics and weights of the CPU', async () => {
    const [gpu, cpu] = [await on('webgpu'), await on('cpu')];
    expect(gpu.device).toMatchObject({ backend: 'webgpu' });
    expect(gpu.runs.map((r) => r.method)).toEqual(cpu.runs.map((r) => r.method));
    for (const [i, { method, metrics }] of gpu.runs.entries())
      for (const [name, value] of Object.entries(metrics)) {
        if (name === 'rte_seconds') continue;
        const far = Math.abs(Number(value) - Number(cpu.runs[i].metrics[name as 'ua']));
        expect(far, `${method} ${name}`).toBeLessThanOrEqual(allowed(name));
      }
    for (const cell of cells) {
      const [a, b] = ['webgpu', 'cpu'].map(
        (name) => lt.io.loadSafetensors(read(name, `checkpoints/${cell}.safetensors`)).tensors,
      );
      expect(Object.keys(a)).toEqual(Object.keys(b));
      for (const [name, { data }] of Object.entries(a)) {
        let [off, size] = [0, 0];
        Array.from(data as Float32Array).forEach((v, k) => {
          off += (v - b[name].data[k]) ** 2;
          size += v ** 2;
        });
        expect(Math.sqrt(off / size), `${cell} ${name}`).toBeLessThan(WEIGHTS);
      }
    }
  });

  it('by the command line: the same bits', () => {
    const [main] = compiled('webgpu-run', 'cli/main.ts');
    writeFileSync(join(folder, 'small.json'), JSON.stringify(recipe));
    const words = [
      'run',
      join(folder, 'small.json'),
      '--device',
      'webgpu',
      '--out',
      join(folder, 'cli'),
      '--json',
    ];
    const out = execFileSync(process.execPath, [main, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(JSON.parse(out)).toEqual(JSON.parse(String(read('cli', 'results.json'))));
    for (const cell of cells) {
      const file = `checkpoints/${cell}.safetensors`;
      expect(read('cli', file).equals(read('webgpu', file)), cell).toBe(true);
    }
    expect(String(read('cli', 'report.html')).trimEnd()).toMatch(/<\/html>$/);
  });
});
