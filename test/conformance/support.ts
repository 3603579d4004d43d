// What the conformance suites share: the backends under test, and values.ts.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import type { Program } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import { useBackend } from '../../engine/runtime.ts';
import { openWebGpu } from '../../kernels/node.ts';
import { createCpuBackend } from '../../native/backend.ts';
import { problemsOf } from '../kernels/valid.ts';
import { baseOf, type Float, mismatch, type Values } from './values.ts';

export * from './values.ts';

export interface Target {
  readonly name: string;
  readonly float: Float;
  backend(): Backend;
}

/** Runs `body` as a suite for a backend, once for each float type it has. */
export function describeBackend(
  name: string,
  make: () => Backend | Promise<Backend>,
  floats: readonly Float[],
  body: (target: Target) => void,
): void {
  for (const float of floats)
    describe(`${name} ${float}`, () => {
      let backend: Backend;
      beforeAll(async () => {
        backend = await make();
        useBackend(backend, baseOf(float));
      });
      afterAll(async () => {
        useBackend(null);
        await backend.close();
      });
      body({ name, float, backend: () => backend });
    });
}

/**
 * Runs `body` for every backend that is here (see test/devices.ts), and checks the shaders that its programs give, unless
 * they are those of primitives, which have been checked. `half`: in float16 too; a test then has to skip where its backend
 * has none.
 */
export function describeBackends(
  body: (target: Target) => void,
  { half = false, shaders = true } = {},
): void {
  const absent = inject('absent');
  describeBackend('reference', createReferenceBackend, ['float64'], body);
  const floats: readonly Float[] = half ? ['float32', 'float16'] : ['float32'];
  for (const float of floats) {
    const programs: Program[] = [];
    describeBackend(
      'reference',
      () => recording(createReferenceBackend(), programs),
      [float],
      (target) => {
        body(target);
        test.skipIf(absent.dawn !== null || !shaders)(
          'its programs are valid on every kind of WebGPU device',
          async () => {
            expect(programs.length).toBeGreaterThan(0);
            expect(await problemsOf(programs)).toEqual([]);
          },
        );
      },
    );
  }
  if (absent.cpu === null) describeBackend('cpu', () => createCpuBackend(), ['float32'], body);
  if (absent.webgpu === null) describeBackend('webgpu', () => openWebGpu(), floats, body);
}

/** A software adapter compiles every shader on the CPU, far more slowly than it runs them: it gets less of a suite. */
export const isSoftware = (target: Target): boolean => target.backend().info.software === true;

/** The backend, writing down every program it compiles. */
function recording(backend: Backend, programs: Program[]): Backend {
  const compile = backend.compile.bind(backend);
  backend.compile = (program) => {
    programs.push(program);
    return compile(program);
  };
  return backend;
}

/** Fails unless the values agree; `what` says whose they are. */
export function agree(got: readonly Values[], want: readonly Values[], bound: number, what: string): void {
  const wrong = mismatch(got, want, bound);
  if (wrong !== null) expect.fail(`${what}: ${wrong}`);
}
