// Who is measured: Lethe on a WebGPU device of its own, and peers. Each side prepares a case, answers with samples of its
// first results, and is then timed as often as wanted.

import { useBackend } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { openWebGpu } from '../../kernels/node.ts';
import { type Case, disposeAll, type Prepared } from '../cases.ts';
import { positions } from '../inputs.ts';
import type { Peer } from '../peer.ts';

export interface Check {
  /** How many first runs, and which elements of their results. */
  readonly runs: number;
  readonly at: readonly number[];
}
/** Runs that build on each other (losses of a training step) are compared over three; else the first is enough. */
export const checkOf = (c: Case): Check => ({
  runs: c.suite === 'training' ? 3 : 1,
  at: positions(c.size, c.exact ? 64 : 256),
});

/** One case on one side. */
export interface Turn {
  /** Results of the first runs at the positions of the check. */
  readonly values: readonly number[];
  readonly flops: number;
  /** Milliseconds of the first run, with all that is compiled for it. */
  readonly firstMs?: number;
  /** Milliseconds of a run, sampled for so many seconds; runs shorter than `least` ms are waited for in groups. */
  sample(seconds: number, least: number): Promise<number[]>;
  dispose(): Promise<void>;
}

/** The result that is compared: the tensor of the case's size. */
function compared(c: Case, result: unknown): lt.Tensor {
  const { leaves } = lt.tree.flatten(result);
  const found = leaves.find((x: unknown) => x instanceof lt.Tensor && x.size === c.size);
  if (!found) throw new lt.LetheError('value', `${c.name}: no result has ${c.size} elements`);
  return found as lt.Tensor;
}

async function firstRuns(c: Case, prepared: Prepared): Promise<{ values: number[]; firstMs: number }> {
  const values: number[] = [];
  const { runs, at } = checkOf(c);
  let firstMs = 0;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const result = prepared.run();
    await lt.sync();
    if (run === 0) firstMs = performance.now() - start;
    const data = await compared(c, result).data();
    values.push(...at.map((i) => Number(data[i])));
    disposeAll(result);
  }
  return { values, firstMs };
}

export class Lethe {
  private opened: WebGpuBackend | null = null;
  constructor(
    readonly name: string,
    /** Options of Dawn, as of the package webgpu. */
    readonly dawn: readonly string[],
  ) {}

  async backend(): Promise<WebGpuBackend> {
    this.opened ??= await openWebGpu({ dawn: this.dawn });
    useBackend(this.opened);
    return this.opened;
  }
  async take(c: Case): Promise<Turn> {
    const backend = await this.backend();
    const prepared = c.prepare();
    const once = async (repeats: number): Promise<number> => {
      const start = performance.now();
      // Freed at once, each result lends its memory to the next: a hundred large ones would not fit.
      for (let n = 0; n < repeats; n++) disposeAll(prepared.run());
      await lt.sync();
      return (performance.now() - start) / repeats;
    };
    const first = await firstRuns(c, prepared);
    return {
      ...first,
      flops: prepared.flops,
      async sample(seconds, least) {
        useBackend(backend);
        const repeats = Math.max(1, Math.min(100, Math.ceil(least / (await once(1)))));
        const samples: number[] = [];
        const end = performance.now() + seconds * 1000;
        while (samples.length < 2 || performance.now() < end) samples.push(await once(repeats));
        return samples;
      },
      async dispose() {
        useBackend(backend);
        prepared.dispose();
        await lt.sync();
      },
    };
  }
  /** Lets go of a device that failed, or of one that is no longer needed. */
  async close(): Promise<void> {
    const backend = this.opened;
    this.opened = null;
    useBackend(null);
    await backend?.close();
  }
}

/** What is right: in float64 where the case can say, else by the CPU backend if it is there; null where nobody knows. */
export async function expected(c: Case, flops: number): Promise<number[] | null> {
  const { at } = checkOf(c);
  if (c.exact) return at.map(c.exact);
  // More would take longer than the GPU's whole measurement.
  if (flops > 5e11) return null;
  try {
    await lt.init({ device: 'cpu', exact: true });
    const prepared = c.prepare();
    const { values } = await firstRuns(c, prepared);
    prepared.dispose();
    return values;
  } catch {
    return null;
  }
}

/** A peer's turn. Throws what the peer says where it fails. */
export async function takePeer(peer: Peer, c: Case): Promise<Turn> {
  const request = c.peer as Record<string, unknown>;
  const ask = async (rounds: number, repeats: number) => {
    const answer = await peer.measure(request, { rounds, repeats, check: checkOf(c) });
    if (typeof answer === 'string') throw new lt.LetheError('device', `${peer.name}: ${answer}`);
    return answer;
  };
  const first = await ask(1, 1);
  let single = Math.min(...first.ms);
  return {
    values: first.values ?? [],
    flops: 0,
    async sample(seconds, least) {
      const repeats = Math.max(1, Math.min(100, Math.ceil(least / single)));
      const rounds = Math.max(2, Math.min(100, Math.round((seconds * 1000) / (single * repeats))));
      const { ms } = await ask(rounds, repeats);
      single = Math.min(single, ...ms);
      return [...ms];
    },
    dispose: async () => undefined,
  };
}
