// Chart.js as text for a report's page: the parts that client.ts draws with, as one script that sets `Chart`. The build
// puts the text in this module's place (charts.build.mjs), so that the package needs neither Chart.js nor a bundler.

import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

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

export const CHARTS = outputFiles[0].text;
