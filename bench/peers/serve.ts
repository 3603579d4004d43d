// What the peers that run in Node share: Dawn as navigator.gpu, and the protocol that pytorch.py speaks too. A request is
// a line of JSON on stdin: a case, how many `rounds` of `repeats` runs to measure, and which elements of the results of
// the first runs to answer with (`check`). The answer is a line on stdout: { ms, values } or { error }.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The modules of a peer have types of their own, which this project does not depend on. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Foreign = any;

/** One case, prepared. */
export interface Work {
  /** Enqueues one run. */
  run(): Foreign;
  /** Resolves when a run's result is there. */
  finish(result: Foreign): Promise<unknown>;
  /** A result as the bench lays it out: NHWC, weights HWIO. */
  values(result: Foreign): Promise<ArrayLike<number>>;
  free(result: Foreign): void;
  /** Gives back what the case itself holds. */
  dispose(): void;
}
export type Request = Record<string, number> & { case: string; direction?: string; model?: string };
export type Cases = Record<string, (r: Request) => Work>;

/** Makes Dawn the WebGPU of this process: the same adapter and options as Lethe's. */
async function provideGpu(): Promise<void> {
  const { create, globals } = (await import('webgpu' as string)) as Foreign;
  Object.assign(globalThis, globals);
  const options = (process.env.LETHE_DAWN ?? '').split(' ').filter((o) => o !== '');
  const value = { gpu: create(options), userAgent: 'Node', hardwareConcurrency: 1 };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
}

/** Loads a module from the folder that LETHE_PEER_MODULES names. */
export function peerModule(name: string): Foreign {
  const folder = process.env.LETHE_PEER_MODULES;
  if (!folder) throw new Error('LETHE_PEER_MODULES is not set; see bench/peers/README.md');
  return createRequire(join(folder, 'package.json'))(name);
}

export async function serve(start: () => Promise<{ name: string; cases: Cases }>): Promise<void> {
  await provideGpu();
  const { name, cases } = await start();
  const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
  say({ name, threads: 1 });
  // A case is asked for several times in turn with ours: it is prepared once.
  let known = null as { key: string; work: Work; values: number[] } | null;
  for await (const line of createInterface({ input: process.stdin })) {
    const { rounds, repeats = 1, check, ...request } = JSON.parse(line) as Foreign;
    try {
      const key = JSON.stringify(request);
      if (known?.key !== key) {
        known?.work.dispose();
        known = null;
        const make = cases[request.case];
        if (!make) throw new Error(`no case ${request.case}`);
        const work = make(request);
        known = { key, work, values: await firstRuns(work, check) };
      }
      const { work } = known;
      const ms: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const begin = performance.now();
        const results = Array.from({ length: repeats }, () => work.run());
        for (const r of results) await work.finish(r);
        ms.push((performance.now() - begin) / repeats);
        for (const r of results) work.free(r);
      }
      say({ ms, values: known.values });
    } catch (error) {
      known = null;
      say({ error: String(error).split('\n')[0] });
    }
  }
  process.exit(0);
}

async function firstRuns(work: Work, check: { runs: number; at: number[] }): Promise<number[]> {
  const values: number[] = [];
  for (let run = 0; run < check.runs; run++) {
    const result = work.run();
    const all = await work.values(result);
    values.push(...check.at.map((i) => all[i]));
    work.free(result);
  }
  return values;
}
