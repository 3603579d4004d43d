// Headless Chromium with its software adapter, and a page in it that loads files of a folder over http.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { chromium as executablePath } from '../devices.ts';

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

export interface Browser {
  readonly page: Page;
  /** All that the page asked for, as paths. */
  readonly asked: string[];
  /** All that it complained of: errors and files that are not there. */
  readonly complaints: string[];
  /** All that it warned of. */
  readonly warnings: string[];
  close(): Promise<void>;
}

/** A browser whose page is the empty one at `/` of a server that has the files of `folder`. */
export async function openBrowser(folder: string): Promise<Browser> {
  const asked: string[] = [];
  const complaints: string[] = [];
  const warnings: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    asked.push(pathname);
    const answer = (status: number, type: string, body: string | Buffer) =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (pathname === '/') return answer(200, 'text/html', '<!doctype html><link rel="icon" href="data:,">');
    try {
      const file = join(folder, normalize(pathname));
      return answer(200, TYPES[extname(file)] ?? 'text/plain', readFileSync(file));
    } catch {
      return answer(404, 'text/plain', 'not found');
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const profile = mkdtempSync(join(tmpdir(), 'lethe-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: ARGS,
    headless: true,
    // A loopback address counts as secure: elsewhere a page has no navigator.gpu.
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
    if (message.type() === 'warning') warnings.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  await page.goto('/');
  const close = async () => {
    await context.close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { page, asked, complaints, warnings, close };
}
