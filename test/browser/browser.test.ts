// WebGPU in a browser: the modules that a build gives, served as files, are loaded by a page of headless Chromium, which
// runs the checks of page.ts on its own software adapter. Nothing of Node may be asked for, and nothing may be complained
// about.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize, resolve } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { compiled } from '../compiled.ts';
import { chromium as executablePath } from '../devices.ts';
import type { Outcome } from './page.ts';

const TYPES: Record<string, string> = { '.js': 'text/javascript', '.html': 'text/html' };
const ARGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(inject('absent').browser !== null)('in Chromium', () => {
  let server: Server;
  let profile: string;
  let browser: BrowserContext;
  let page: Page;
  /** All that the page asked for. */
  const asked: string[] = [];
  /** All that it complained of. */
  const complaints: string[] = [];

  beforeAll(async () => {
    const [entry] = compiled('browser', 'test/browser/page.ts');
    const folder = resolve(entry, '../../..');
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      asked.push(pathname);
      const answer = (status: number, type: string, body: string | Buffer) =>
        response.writeHead(status, { 'content-type': type }).end(body);
      if (pathname === '/') return answer(200, 'text/html', '<!doctype html><link rel="icon" href="data:,">');
      try {
        const file = join(folder, normalize(pathname.replace(/^\/dist\//, '/')));
        return answer(200, TYPES[extname(file)] ?? 'text/plain', readFileSync(file));
      } catch {
        return answer(404, 'text/plain', 'not found');
      }
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    profile = mkdtempSync(join(tmpdir(), 'lethe-chromium-'));
    browser = await chromium.launchPersistentContext(profile, { executablePath, args: ARGS, headless: true });
    page = await browser.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
    // A loopback address counts as secure: elsewhere a page has no navigator.gpu.
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    if (profile) rmSync(profile, { recursive: true, force: true });
  });

  /** Calls a function of page.ts in the page. The code is text, which no test runner rewrites. */
  const call = <R>(name: string): Promise<R> =>
    page.evaluate<R>(`import('/dist/test/browser/page.js').then((m) => m.${name}())`);

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
    expect(asked.filter((path) => !/^\/dist\/.*\.js$/.test(path))).toEqual(['/']);
    expect(
      asked.filter((path) => /\/(native|cli|unlearn|bench|node_modules)\/|\/kernels\/node\.js/.test(path)),
    ).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
