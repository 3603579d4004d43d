// The drawings' library in a report has the parts that the page's script asks for, and sets `Chart` for it.

import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { CHARTS, SCRIPT } from '../../../unlearn/report/charts.ts';
import { CLIENT } from '../../../unlearn/report/client.ts';

interface Registry {
  getController(id: string): unknown;
  getElement(id: string): unknown;
  getScale(id: string): unknown;
  getPlugin(id: string): unknown;
}

it('has every kind of chart that is drawn, and what those are made of', () => {
  const registry = runInNewContext(`${CHARTS}; Chart.registry`) as Registry;
  const kinds = new Set([...CLIENT.matchAll(/^ {4,6}type: '(\w+)'/gm)].map((match) => match[1]));
  expect(kinds).toEqual(new Set(['bar', 'scatter']));
  // Each throws for a name that is not registered.
  for (const kind of kinds) registry.getController(kind);
  for (const element of ['bar', 'line', 'point']) registry.getElement(element);
  for (const scale of ['category', 'linear']) registry.getScale(scale);
  for (const plugin of ['legend', 'tooltip']) registry.getPlugin(plugin);
});

it('names whom it is from, and neither script can end itself', () => {
  expect(CHARTS).toMatch(/Chart\.js v[\d.]+[\s\S]*MIT License/);
  for (const script of [CHARTS, SCRIPT]) expect(script).not.toContain('</script');
});
