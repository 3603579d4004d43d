// Every text of the page on every ground it stands on has the contrast that WCAG 2 asks of small text (AA, 4.5), light and dark.

import { describe, expect, it } from 'vitest';
import { STYLE } from '../../../unlearn/report/style.ts';

type Colour = readonly number[];

const themes = [...STYLE.matchAll(/:root[^{]*\{([^}]*)\}/g)].map(
  ([, body]) => new Map([...body.matchAll(/--([\w-]+): (#\w+)/g)].map(([, name, hex]) => [name, hex])),
);
const [light, dark] = [themes[0], themes[1]];

const rgb = (hex: string): Colour => {
  const full = hex.length === 4 ? hex.replace(/\w/g, '$&$&') : hex;
  return [1, 3, 5].map((at) => Number.parseInt(full.slice(at, at + 2), 16));
};
const mix = (a: Colour, b: Colour, share: number): Colour => a.map((v, i) => v * share + b[i] * (1 - share));
const luminance = (colour: Colour): number => {
  const [r, g, b] = colour.map((v) =>
    v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a: Colour, b: Colour): number => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

/** Text, ground, and the opacity of the text where the style gives one. */
const pairs: [string, string, number?][] = [
  ...['page', 'card', 'faint'].flatMap((ground): [string, string][] => [
    ['ink', ground],
    ['soft', ground],
    ['warn', ground],
  ]),
  ['accent', 'card'],
  ['forget', 'card'],
  ...['g0', 'g1', 'g2', 'g3'].flatMap((ground): [string, string, number?][] => [
    ['ink', ground],
    ['ink', ground, 0.8],
  ]),
  ['warn', 'warn-bg'],
  ['close-ink', 'close'],
  ['page', 'ink', 0.75],
];

describe.each([
  ['light', light],
  ['dark', dark],
])('%s', (_, theme) => {
  const colour = (name: string) => rgb(theme.get(name) ?? '');

  it.each(pairs)('%s on %s', (text, ground, opacity = 1) => {
    const shown = mix(colour(text), colour(ground), opacity);
    expect(contrast(shown, colour(ground))).toBeGreaterThanOrEqual(4.5);
  });

  it('on every shade of the prediction tables', () => {
    for (let share = 0; share <= 1; share += 0.01) {
      const ground = mix(colour('heat'), colour('faint'), share);
      expect(contrast(colour('ink'), ground), `share ${share.toFixed(2)}`).toBeGreaterThanOrEqual(4.5);
    }
  });
});

it('the two themes are what was read', () => {
  expect([light, dark].map((theme) => theme.get('card'))).toEqual(['#ffffff', '#1b1f23']);
  expect(contrast(rgb('#fff'), rgb('#000'))).toBeCloseTo(21, 6);
});
