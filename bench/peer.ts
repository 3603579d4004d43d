// A peer process: started once, asked case by case, so that both sides are measured alternately in one run.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
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

export interface Peer {
  readonly name: string;
  readonly threads: number;
  /** Milliseconds of `rounds` runs; an error text where the peer failed. */
  measure(request: Record<string, unknown>, rounds: number): Promise<number[] | string>;
  close(): void;
}

/** PyTorch through the interpreter named by LETHE_PEER_PYTHON, else python3. Throws if it cannot be started. */
export async function startPyTorch(): Promise<Peer> {
  const python = process.env.LETHE_PEER_PYTHON ?? 'python3';
  const root = packageRoot();
  const env = { ...process.env };
  // Halves the speed of OpenBLAS on an AVX-512 machine.
  delete env.OPENBLAS_CORETYPE;
  const child: ChildProcessWithoutNullStreams = spawn(python, ['bench/peers/pytorch.py'], { cwd: root, env });
  let talk = '';
  child.stderr.on('data', (d) => {
    talk = (talk + String(d)).slice(-2000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise<never>((_, reject) => {
    child.on('error', (e) =>
      reject(new LetheError('device', `the peer ${python} did not start: ${e.message}`)),
    );
    child.on('exit', (code) =>
      reject(
        new LetheError(
          'device',
          `the peer ${python} ended with ${code}: ${talk.trim().split('\n').at(-1) ?? ''}; name an interpreter that has PyTorch in LETHE_PEER_PYTHON`,
        ),
      ),
    );
  });
  gone.catch(() => undefined);
  const answer = async (): Promise<Record<string, unknown>> => {
    const { value } = await Promise.race([lines.next(), gone]);
    return value === undefined ? await gone : JSON.parse(value);
  };
  const hello = await answer();
  return {
    name: `PyTorch ${hello.version}`,
    threads: Number(hello.threads),
    async measure(request, rounds) {
      child.stdin.write(`${JSON.stringify({ ...request, rounds })}\n`);
      const { ms, error } = await answer();
      return (ms as number[] | undefined) ?? String(error);
    },
    close() {
      child.stdin.end();
    },
  };
}
