// Line charts as SVG text, side by side: what the documentation shows of curves.

export interface Series {
  readonly name: string;
  /** [x, y]. */
  readonly points: readonly (readonly [number, number])[];
  /** Dashed: what is expected, beside what was counted. */
  readonly dashed?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Factors of x count, not differences. */
  readonly log?: boolean;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [420, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 404, 40, 226];
const COLOURS = ['#3b7dd8', '#d9822b', '#3f9a5c', '#9a5bc0', '#c24b5a', '#6b7785'];
const STYLE = `:root { --paper: #fbfaf7; --ink: #26303a; --line: #c9d0d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #171c21; --ink: #e6ebf0; --line: #3a444d; } }
text { font: 11.5px ui-sans-serif, system-ui, "Segoe UI", Arial, sans-serif; fill: var(--ink); }
.title { font-size: 13px; font-weight: 600; }
.grid { stroke: var(--line); }
.curve { fill: none; stroke-width: 2; }`;

const text = (x: number, y: number, what: string, rest = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${rest}>${what.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</text>`;

/** A whole SVG file with the panels beside each other. */
export function chart(title: string, panels: readonly Panel[]): string {
  const width = WIDTH * panels.length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" role="img" aria-labelledby="t">`,
    `<title id="t">${title}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${width}" height="${HEIGHT}" rx="14" style="fill:var(--paper)"/>`,
    ...panels.map((panel, i) => `<g transform="translate(${i * WIDTH} 0)">\n${drawn(panel)}\n</g>`),
    '</svg>\n',
  ].join('\n');
}

function drawn({ title, x, y, log = false, series }: Panel): string {
  const points = series.flatMap((s) => s.points);
  const scale = (v: number) => (log ? Math.log10(v) : v);
  const xs = points.map(([v]) => v);
  const [first, last] = [scale(Math.min(...xs)), scale(Math.max(...xs))];
  const high = ceiling(Math.max(...points.map(([, v]) => v)));
  const across = (v: number) => LEFT + ((scale(v) - first) / (last - first || 1)) * (RIGHT - LEFT);
  const up = (v: number) => BOTTOM - (v / high) * (BOTTOM - TOP);
  const parts = [text(LEFT, 22, title, 'class="title"')];
  for (let i = 0; i <= 4; i++) {
    const v = (high * i) / 4;
    parts.push(`<path class="grid" d="M${LEFT} ${up(v).toFixed(1)}H${RIGHT}"/>`);
    parts.push(text(LEFT - 6, up(v) + 4, String(Number(v.toPrecision(3))), 'text-anchor="end"'));
  }
  for (const v of new Set(xs)) parts.push(text(across(v), BOTTOM + 16, String(v), 'text-anchor="middle"'));
  parts.push(text((LEFT + RIGHT) / 2, BOTTOM + 34, x, 'text-anchor="middle"'));
  parts.push(
    text(14, (TOP + BOTTOM) / 2, y, `text-anchor="middle" transform="rotate(-90 14 ${(TOP + BOTTOM) / 2})"`),
  );
  const names = [...new Set(series.map(({ name }) => name))];
  for (const { name, points, dashed } of series) {
    const colour = COLOURS[names.indexOf(name) % COLOURS.length];
    const path = points
      .map(([a, b], i) => `${i ? 'L' : 'M'}${across(a).toFixed(1)} ${up(b).toFixed(1)}`)
      .join('');
    const dash = dashed ? ' stroke-dasharray="4 4"' : '';
    parts.push(`<path class="curve" stroke="${colour}"${dash} d="${path}"/>`);
    if (!dashed)
      for (const [a, b] of points)
        parts.push(
          `<circle cx="${across(a).toFixed(1)}" cy="${up(b).toFixed(1)}" r="2.6" fill="${colour}"/>`,
        );
  }
  names.forEach((name, i) => {
    const [left, top] = [LEFT + (i % 3) * 118, BOTTOM + 56 + Math.floor(i / 3) * 18];
    parts.push(
      `<rect x="${left}" y="${top - 8}" width="12" height="4" fill="${COLOURS[i % COLOURS.length]}"/>`,
    );
    parts.push(text(left + 17, top - 2, name));
  });
  return parts.join('\n');
}

/** The next of 1, 2, 4, 5, 8, 10 times a power of ten. */
function ceiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 8, 10].find((step) => step * power >= value * 0.999) ?? 10) * power;
}
