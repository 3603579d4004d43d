// Peer processes: started once, asked case by case, so that all sides are measured in turn in one run.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LetheError } from '../engine/error.ts';

/** The folder of package.json, from bench/ or dist/bench/. */
export function packageRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'package.json'))) at = dirname(at);
  return at;
}

/** How much to measure: `rounds` times `repeats` runs that are waited for together. */
export interface Effort {
  readonly rounds: number;
  readonly repeats?: number;
  /** The elements to answer with, of the results of so many first runs. */
  readonly check?: { readonly runs: number; readonly at: readonly number[] };
}
export interface PeerAnswer {
  /** Milliseconds of a run, for each round. */
  readonly ms: readonly number[];
  readonly values?: readonly number[];
}
export interface Peer {
  readonly name: string;
  readonly threads: number;
  /** Whether it can be asked for `device: 'cuda'`. */
  readonly cuda: boolean;
  /** An error text where the peer failed. */
  measure(request: Record<string, unknown>, effort: Effort): Promise<PeerAnswer | string>;
  close(): void;
}

interface Start {
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What to do where it does not start. */
  readonly advice: string;
}

/** Some failures to start are thrown, some come as an event. */
const unstarted = ({ what, advice }: Start, cause: unknown): LetheError =>
  new LetheError('device', `${what} did not start: ${(cause as Error).message}; ${advice}`);

function spawned(how: Start, env: NodeJS.ProcessEnv) {
  try {
    return spawn(how.command, how.args, { cwd: packageRoot(), env });
  } catch (cause) {
    throw unstarted(how, cause);
  }
}

async function start({ what, command, args, advice }: Start): Promise<Peer> {
  const env = { ...process.env };
  // Halves the speed of OpenBLAS on an AVX-512 machine.
  delete env.OPENBLAS_CORETYPE;
  const child = spawned({ what, command, args, advice }, env);
  let talk = '';
  child.stderr.on('data', (d) => {
    talk = (talk + String(d)).slice(-2000);
  });
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise<never>((_, reject) => {
    child.on('error', (e) => reject(unstarted({ what, command, args, advice }, e)));
    child.on('exit', (code) => {
      const said = talk.trim().split('\n');
      const why = said.find((l) => l.includes('Error: ')) ?? said.at(-1) ?? '';
      reject(new LetheError('device', `${what} ended with ${code}: ${why.trim()}; ${advice}`));
    });
  });
  gone.catch(() => undefined);
  const answer = async (): Promise<Record<string, unknown>> => {
    const { value } = await Promise.race([lines.next(), gone]);
    return value === undefined ? await gone : JSON.parse(value);
  };
  const hello = await answer();
  return {
    name: String(hello.name),
    threads: Number(hello.threads),
    cuda: hello.cuda === true,
    async measure(request, effort) {
      child.stdin.write(`${JSON.stringify({ ...request, ...effort })}\n`);
      const { ms, values, error } = await answer();
      return ms === undefined
        ? String(error)
        : { ms: ms as number[], values: values as number[] | undefined };
    },
    close() {
      child.stdin.end();
    },
  };
}

/** PyTorch through the interpreter named by LETHE_PEER_PYTHON, else python3. Throws if it cannot be started. */
export const startPyTorch = (): Promise<Peer> =>
  start({
    what: 'the peer PyTorch',
    command: process.env.LETHE_PEER_PYTHON ?? 'python3',
    args: ['bench/peers/pytorch.py'],
    advice: 'name an interpreter that has PyTorch in LETHE_PEER_PYTHON',
  });

/** A peer on WebGPU in Node; its modules are in the folder named by LETHE_PEER_MODULES. */
export const startWebGpuPeer = (name: 'jax' | 'tfjs'): Promise<Peer> =>
  start({
    what: `the peer ${name}`,
    command: process.execPath,
    args: [fileURLToPath(new URL(`./peers/${name}.js`, import.meta.url))],
    advice: 'see bench/peers/README.md',
  });

/** A peer that is asked for everything with these fields besides: another device, another precision. */
export const variant = (peer: Peer, name: string, fields: Record<string, unknown>): Peer => ({
  ...peer,
  name,
  measure: (request, effort) => peer.measure({ ...request, ...fields }, effort),
});
