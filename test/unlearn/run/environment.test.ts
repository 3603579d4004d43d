// What results.json says of where it was made and of what was kept: the report's verdict and its "how to reproduce" need it.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeEnvironment, packageRoot, version } from '../../../unlearn/run/environment.ts';
import { run } from '../../../unlearn/run.ts';
import { toyParts, toyRecipe } from './toy.ts';

it('names the version, and the commit where this is a checkout', () => {
  const { lethe, commit } = describeEnvironment();
  expect(lethe).toBe(version);
  if (existsSync(new URL('.git', packageRoot))) expect(commit).toMatch(/^[0-9a-f]{40}(-dirty)?$/);
  else expect(commit).toBeUndefined();
});

it('counts what was kept, and its most frequent class', async () => {
  const out = mkdtempSync(join(tmpdir(), 'lethe-environment-'));
  try {
    const { results } = await run(toyRecipe(), { out, parts: toyParts() });
    expect(results?.environment.kept).toEqual({ size: 18, largestClass: 18 });
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
