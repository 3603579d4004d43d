// The addon for another processor than this one, under an emulator: LETHE_EMULATED is the command that runs its Node, and
// LETHE_EMULATED_ADDON the addon. `.ci/run` sets both.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { compiled } from '../compiled.ts';
import type { Outcome } from '../conformance/core.ts';

const { LETHE_EMULATED, LETHE_EMULATED_ADDON } = process.env;

test.skipIf(!LETHE_EMULATED)(
  'every primitive, products and training are what the reference computes, with each instruction set',
  async () => {
    const [entry] = compiled('emulated', 'test/native/emulated.ts');
    const [command, ...args] = LETHE_EMULATED!.split(' ');
    const env = { ...process.env, LETHE_ADDON: LETHE_EMULATED_ADDON, LETHE_INSTRUCTION_SET: '' };
    const { stdout } = await promisify(execFile)(command, [...args, entry], { env });
    const outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Outcome & { arch: string; name: string; check: string });
    expect(outcomes.flatMap(({ name, problems }) => problems.map((p) => `${name}: ${p}`))).toEqual([]);
    expect(outcomes.map(({ name, check }) => `${name} ${check}`)).toEqual(
      ['neon', 'portable'].flatMap((name) =>
        ['everyPrimitive', 'products', 'training'].map((check) => `${name} ${check}`),
      ),
    );
    expect(outcomes.every(({ arch }) => arch === 'arm64')).toBe(true);
    expect(outcomes[0].cases).toBeGreaterThanOrEqual(80);
  },
  600_000,
);
