// WebGPU in a browser: the modules that a build gives, served as files, are loaded by a page of headless Chromium, which
// runs the checks of page.ts on its own software adapter. Nothing of Node may be asked for, and nothing may be complained
// about.

import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { compiled } from '../compiled.ts';
import type { Outcome } from '../conformance/core.ts';
import { type Browser, openBrowser } from './chromium.ts';

describe.skipIf(inject('absent').browser !== null)('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    const [entry] = compiled('browser', 'test/browser/page.ts');
    browser = await openBrowser(resolve(entry, '../../..'));
  });
  afterAll(() => browser?.close());

  /** Calls a function of page.ts in the page. The code is text, which no test runner rewrites. */
  const call = <R>(name: string): Promise<R> =>
    browser.page.evaluate<R>(`import('/test/browser/page.js').then((m) => m.${name}())`);

  test('auto takes no software adapter, and nothing of Node', async () => {
    expect(await call('choice')).toEqual({
      auto: 'reference',
      cpu: "device 'cpu' needs Node; in a browser there are 'webgpu' and 'reference'",
    });
  });
  test('tasks keep apart, and devices are found', async () => {
    expect(await call('tasks')).toEqual({
      other: [1, 2],
      scoped: 'use after dispose: float32[2] has been given back',
      devices: ['reference'],
    });
  });
  test('opens the software adapter where that is allowed', async () => {
    expect(await call('open')).toMatchObject({ software: true });
  });
  test.each([
    ['everyPrimitive', 'every primitive is what the reference computes', 80],
    ['products', 'products and second derivatives of convolutions', 2],
    ['training', 'training steps of a small CNN', 1],
  ])(
    '%s: %s',
    async (name, _, least) => {
      const { cases, problems } = await call<Outcome>(name);
      expect(problems).toEqual([]);
      expect(cases).toBeGreaterThanOrEqual(least);
    },
    600_000,
  );
  test('closes; nothing of Node was asked for, nothing was complained of', async () => {
    await call('close');
    const { asked, complaints } = browser;
    expect(asked.filter((path) => !path.endsWith('.js'))).toEqual(['/']);
    expect(
      asked.filter((path) => /\/(native|cli|unlearn|bench|node_modules)\/|\/kernels\/node\.js/.test(path)),
    ).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
