// Bundles in a browser: the page of examples/browser, as esbuild and Vite make it with no option set, trains and unlearns in
// headless Chromium, on its software adapter and without one, and comes to the numbers that Node comes to.

import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { close, init } from '../../index.ts';
import { installed } from '../installed.ts';
import { type Browser, openBrowser } from './chromium.ts';

const example = (file: string): string => join(import.meta.dirname, '../../examples/browser', file);
const QUICK = { trainSize: 20, testSize: 10, epochs: 1 };
const files = {
  ...Object.fromEntries(
    ['index.html', 'page.js', 'story.js'].map((f) => [f, readFileSync(example(f), 'utf8')]),
  ),
  'test.html':
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./test.js"></script>',
  'test.js': `import * as lt from 'lethe';
import { createWebGpuBackend } from 'lethe/webgpu';
import { story } from './story.js';
globalThis.tell = async (device) => {
  const gpu = device === 'webgpu' ? await createWebGpuBackend({ allowSoftware: true }) : null;
  if (gpu) lt.useBackend(gpu);
  else await lt.init({ device });
  const told = await story(${JSON.stringify(QUICK)});
  await (gpu ?? lt).close();
  return told;
};`,
};

interface Told {
  readonly losses: readonly number[];
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

describe.skipIf(inject('absent').browser !== null)('bundles in Chromium', () => {
  let browser: Browser;
  let here: { readonly losses: readonly number[] };

  beforeAll(async () => {
    const project = installed('browser-bundle', files);
    const site = join(project, 'site');
    mkdirSync(join(site, 'esbuild'), { recursive: true });
    for (const name of ['test', 'page']) {
      const outfile = join(site, 'esbuild', `${name}.js`);
      await esbuild({ entryPoints: [join(project, `${name}.js`)], bundle: true, format: 'esm', outfile });
    }
    for (const file of ['index.html', 'test.html']) cpSync(join(project, file), join(site, 'esbuild', file));
    const input = ['index.html', 'test.html'].map((file) => join(project, file));
    await vite({
      root: project,
      base: '/vite/',
      configFile: false,
      logLevel: 'warn',
      build: { outDir: join(site, 'vite'), rolldownOptions: { input } },
    });
    browser = await openBrowser(site);
    const { story } = await import(example('story.js'));
    await init({ device: 'reference' });
    here = await story(QUICK);
    await close();
  });
  afterAll(() => browser?.close());

  test.each([
    ['esbuild', 'webgpu'],
    ['esbuild', 'reference'],
    ['vite', 'webgpu'],
    ['vite', 'reference'],
  ])(
    'what %s makes trains and unlearns: %s',
    async (bundler, device) => {
      await browser.page.goto(`/${bundler}/test.html`);
      const { losses, before, after } = await browser.page.evaluate<Told>(`tell('${device}')`);
      // Means over 20 samples, in float32, of the first step and of one after it; near ln 10.
      expect(losses).toHaveLength(2);
      losses.forEach((loss, i) => expect(loss).toBeCloseTo(here.losses[i], 4));
      for (const accuracy of [...Object.values(before), ...Object.values(after)]) {
        expect(accuracy).toBeGreaterThanOrEqual(0);
        expect(accuracy).toBeLessThanOrEqual(100);
      }
    },
    120_000,
  );
  test('the page shows what came of it', async () => {
    const { page, warnings } = browser;
    warnings.length = 0;
    await page.goto('/vite/index.html?quick');
    await page.click('#start:enabled');
    await page.waitForSelector('#results:visible', { timeout: 100_000 });
    expect(await page.textContent('#device')).toMatch(/^No graphics card for WebGPU here/);
    expect(await page.textContent('#forgotten')).toMatch(/^\d+ % → \d+ %$/);
    expect(await page.textContent('#step')).toMatch(/^Learned in [\d.]+ s, forgot in [\d.]+ s$/);
    expect(warnings).toEqual([
      'lethe: WebGPU finds no graphics card here; using the TypeScript reference, which is slow',
    ]);
  });
  test('nothing was complained of', () => {
    expect(browser.complaints).toEqual([]);
  });
});
