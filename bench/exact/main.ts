// node dist/bench/exact/main.js --out FILE.json: the bench of exact unlearning as a command. FILE gets the results; its
// neighbours with the endings -sisa.svg, -arcane.svg and .md the curves and the table of the documentation.

import { parseArgs } from 'node:util';
import * as lt from '../../index.ts';
import { datasets } from '../../unlearn/data/index.ts';
import { writeFileAtomic } from '../../unlearn/files.ts';
import { table } from '../../unlearn/reference/markdown.ts';
import { chart, type Panel } from './chart.ts';
import { HEAD, rowOf, runExactBench } from './index.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    dataset: { type: 'string', default: 'glyphs' },
    data: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    train: { type: 'string', default: '3000' },
    test: { type: 'string', default: '1000' },
    epochs: { type: 'string', default: '10' },
    draws: { type: 'string', default: '20' },
    seeds: { type: 'string', default: '3' },
  },
});
await lt.init({ device: values.device as lt.InitOptions['device'] });
const dataset = await datasets.load(datasets.byName(values.dataset), { dir: values.data });
const { train, test, epochs, draws, seeds } = values;
const onLine = (line: string) => void process.stdout.write(`${line}\n`);
const { device } = values;
const result = await runExactBench({
  dataset,
  device,
  train: Number(train),
  test: Number(test),
  epochs: Number(epochs),
  draws: Number(draws),
  seeds: Number(seeds),
  onLine,
});

const panel = (what: keyof typeof result.counted, title: string): Panel => ({
  title,
  x: 'samples removed at once',
  y: '% of training all',
  log: true,
  series: result.counted[what],
});
if (values.out !== undefined) {
  const base = values.out.replace(/\.json$/, '');
  await writeFileAtomic(values.out, `${JSON.stringify(result, null, 1)}\n`);
  const sisa = [panel('shards', 'SISA, 1 slice'), panel('slices', 'SISA, 5 shards')];
  await writeFileAtomic(`${base}-sisa.svg`, chart('Samples that a removal visits: SISA', sisa));
  const arcane = [
    panel('blocks', 'ARCANE, 10 classes'),
    panel('sorting', '8 blocks, requests of a likely tenth'),
    panel('selection', '4 blocks'),
  ];
  await writeFileAtomic(`${base}-arcane.svg`, chart('Samples that a removal visits: ARCANE', arcane));
  await writeFileAtomic(`${base}.md`, `${table(HEAD, result.trained.map(rowOf))}\n`);
}
