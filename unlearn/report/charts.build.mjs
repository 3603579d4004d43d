// Part of `npm run build:ts`: the compiled charts.ts runs once, and the text it makes is written in its place.

import { writeFileSync } from 'node:fs';

const module = new URL('../../dist/unlearn/report/charts.js', import.meta.url);
const { CHARTS } = await import(module.href);
writeFileSync(module, `export const CHARTS = ${JSON.stringify(CHARTS)};\n`);
