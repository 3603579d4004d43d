// The report's own script in Chromium: rows are sorted, filtered and chosen, and the page's address brings all of it back.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { renderReport } from '../../unlearn/report/index.ts';
import { fixture, withAudits, withControl } from '../unlearn/report/fixture.ts';
import { type Browser, openBrowser } from './chromium.ts';

describe.skipIf(inject('absent').browser !== null)('the report in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-report-'));
  let browser: Browser;
  beforeAll(async () => {
    writeFileSync(
      join(folder, 'report.html'),
      renderReport(withControl(withAudits(fixture()), 'boundaryShrink')),
    );
    writeFileSync(
      join(folder, 'none.html'),
      renderReport({ version: 1, recipe: {}, device: {}, environment: {}, runs: [] }),
    );
    browser = await openBrowser(folder);
    await visit('/report.html');
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a report and waits until it has drawn what stands packed in it. */
  async function visit(path: string) {
    await browser.page.goto(path);
    await browser.page.waitForSelector('html[data-ready]');
  }
  /** Names of the rows that are listed, in order. */
  const names = () =>
    browser.page.$$eval('.main tbody tr:not([hidden]) .name', (all) =>
      all.map((one) => one.textContent?.trim()),
    );
  const drawn = () =>
    browser.page.$$eval('#embedding figure:not([hidden]) figcaption', (all) =>
      all.map((one) => one.textContent),
    );
  const address = () => new URL(browser.page.url()).hash;

  test('draws all it has, and complains of nothing', async () => {
    expect(await names()).toHaveLength(11);
    const blank = await browser.page.$$eval('canvas', (all) =>
      all
        .filter((one) => one.width < 50 || !(one as HTMLCanvasElement).toDataURL().startsWith('data:'))
        .map((one) => one.id),
    );
    expect(blank).toEqual([]);
    expect(browser.complaints).toEqual([]);
  });

  test('draws planes and maps where they belong', async () => {
    // The lower left corner is the forgotten image's: another class under retrain than under the original.
    const corner = (m: number) =>
      browser.page.$eval(`canvas[data-plane="${m}"]`, (one) => {
        const canvas = one as HTMLCanvasElement;
        const ctx = canvas.getContext('2d') as CanvasRenderingContext2D;
        return [...ctx.getImageData(2, canvas.height - 3, 1, 1).data];
      });
    const colour = (name: string) =>
      browser.page.evaluate((one) => {
        const text = getComputedStyle(document.documentElement).getPropertyValue(one).trim();
        return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16));
      }, name);
    expect((await corner(0)).slice(0, 3)).toEqual(await colour('--c1'));
    expect((await corner(1)).slice(0, 3)).not.toEqual(await colour('--c1'));
    // Orange where the map is large: over the blot in the middle under the original, nothing at the lower edge.
    const warmth = await browser.page.$eval('canvas[data-look="0"]', (one) => {
      const canvas = one as HTMLCanvasElement;
      const ctx = canvas.getContext('2d') as CanvasRenderingContext2D;
      const at = (x: number, y: number) => {
        const [red, , blue] = ctx.getImageData(x * canvas.width, y * canvas.width, 1, 1).data;
        return red - blue;
      };
      return [at(0.5, 0.5), at(0.05, 0.95)];
    });
    expect(warmth[0]).toBeGreaterThan(40);
    expect(Math.abs(warmth[1])).toBeLessThan(12);
  });

  test('brings packed panels to view when their rows are chosen', async () => {
    const all = fixture();
    const again = all.runs
      .filter(({ method }) => !/original|retrain/.test(method))
      .map((run) => ({ ...run, method: `${run.method}-1` }));
    writeFileSync(join(folder, 'many.html'), renderReport({ ...all, runs: [...all.runs, ...again] }));
    await visit('/many.html');
    expect(await drawn()).toHaveLength(8);
    expect(await browser.page.$$('[data-later]')).not.toHaveLength(0);
    await visit('/many.html#&show=finetune-1');
    expect(await drawn()).toEqual(['Original', 'Retrain', 'finetune-1']);
    const [panel] = await browser.page.$$eval('#entropy figure:not([hidden]) svg', (panels) => [
      panels.at(-1)?.getAttribute('aria-label'),
    ]);
    expect(panel).toMatch(/^Entropy of finetune-1: /);
    expect(browser.complaints).toEqual([]);
    await visit('/report.html');
  });

  test('sorts by a head: up, down, and as it was; controls stay below their methods', async () => {
    const before = await names();
    const head = browser.page.getByRole('button', { name: 'Sort by probe' });
    await head.click();
    expect((await names()).slice(0, 4)).toEqual(['Original', 'Retrain', 'SISA', 'SCRUB']);
    await head.click();
    const down = await names();
    expect(down.slice(0, 3)).toEqual(['Original', 'Retrain', 'Boundary Expanding']);
    expect(down[down.indexOf('Boundary Shrink') + 1]).toBe('Boundary Shrink at rate 0');
    expect(address()).toBe('#&sort=audit.probe&down=1');
    expect(await browser.page.getAttribute('th:has([aria-label="Sort by Probe"])', 'aria-sort')).toBe(
      'descending',
    );
    await head.click();
    expect(await names()).toEqual(before);
    expect(address()).toBe('');
  });

  test('filters by text and by flags, and draws the rows that are ticked', async () => {
    await browser.page.fill('#t-text', 'bound');
    expect(await names()).toEqual([
      'Original',
      'Retrain',
      'Boundary Shrink',
      'Boundary Shrink at rate 0',
      'Boundary Expanding',
    ]);
    expect(await drawn()).toEqual(['Original', 'Retrain', 'Boundary Shrink', 'Boundary Expanding']);
    await browser.page.selectOption('#t-flag', 'held');
    expect(await names()).toEqual(['Original', 'Retrain', 'Boundary Expanding']);
    await browser.page.click('#t-clear');
    await browser.page.check('[aria-label="Show SISA in the charts"]');
    await browser.page.click('tr:has([aria-label="Show SCRUB in the charts"]) td >> nth=2');
    expect(await drawn()).toEqual(['Original', 'Retrain', 'SCRUB', 'SISA']);
    expect(address()).toBe('#&show=SISA&show=SCRUB');
  });

  test('a link keeps the state, and an address brings it back', async () => {
    await browser.page.click('nav a[href="#cost"]');
    await expect.poll(address).toBe('#cost&show=SISA&show=SCRUB');
    await browser.page.goto('/');
    await visit('/report.html#embedding&sort=ua&text=s&flag=none&show=SCRUB');
    expect(await names()).toEqual(['Original', 'Retrain', 'SISA', 'SCRUB', 'l1-sparse']);
    expect(await drawn()).toEqual(['Original', 'Retrain', 'SCRUB']);
    expect(await browser.page.evaluate('scrollY')).toBeGreaterThan(1000);
    // What no row or column is called is left out.
    await browser.page.goto('/');
    await visit('/report.html#&sort=__proto__&show=nobody');
    expect(await names()).toHaveLength(11);
    expect(browser.complaints).toEqual([]);
  });

  test('copies the table as it is listed', async () => {
    await browser.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await browser.page.fill('#t-text', 'scrub');
    await browser.page.click('[data-makes=csv]');
    const csv = String(await browser.page.evaluate('navigator.clipboard.readText()')).split('\r\n');
    expect(csv[0]).toMatch(/^method,seeds,flags,ua,ua_std,ua_gap,ua_low,ua_high,ra,/);
    expect(csv.slice(1, 4).map((line) => line.split(',')[0])).toEqual(['Original', 'Retrain', 'SCRUB']);
    expect(csv).toHaveLength(5);
  });

  test('without runs there is nothing to sort, and nothing to complain of', async () => {
    await browser.page.goto('/none.html');
    expect(await browser.page.textContent('.verdict')).toContain('There are no runs in these results.');
    expect(browser.complaints).toEqual([]);
  });
});
