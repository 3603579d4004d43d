// Part of `npm run build:ts`: the compiled charts.ts runs once, and the texts it makes are written in its place.

import { writeFileSync } from 'node:fs';

const module = new URL('../../dist/unlearn/report/charts.js', import.meta.url);
const texts = Object.entries(await import(module.href));
writeFileSync(
  module,
  texts.map(([name, text]) => `export const ${name} = ${JSON.stringify(text)};\n`).join(''),
);
