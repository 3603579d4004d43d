// The scripts of a report's page, as text: Chart.js, of it the parts that client.ts draws with, as one script that sets `Chart`; and
// client.ts without the spaces. The build puts the texts in this module's place (charts.build.mjs), so that the package
// needs neither Chart.js nor a bundler.

import { fileURLToPath } from 'node:url';
import { buildSync, transformSync } from 'esbuild';
import { CLIENT } from './client.ts';

const PARTS = [
  'BarController',
  'BarElement',
  'CategoryScale',
  'Legend',
  'LinearScale',
  'LineElement',
  'PointElement',
  'ScatterController',
  'Tooltip',
];

const { outputFiles } = buildSync({
  stdin: {
    contents: `import { Chart, ${PARTS} } from 'chart.js'; Chart.register(${PARTS}); globalThis.Chart = Chart;`,
    resolveDir: fileURLToPath(new URL('.', import.meta.url)),
  },
  bundle: true,
  format: 'iife',
  minify: true,
  target: 'es2022',
  write: false,
});

/** Sets `Chart`. */
export const CHARTS = outputFiles[0].text;

/** The page's own script. */
export const SCRIPT = transformSync(CLIENT, { minify: true, target: 'es2022' }).code;
