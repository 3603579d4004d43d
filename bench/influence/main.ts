// node dist/bench/influence/main.js --data DIR: what docs/methods/puma.md says of PUMA and of influences, measured. Lines go
// to stdout as they come.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as lt from '../../index.ts';
import { benchPictures } from './pictures.ts';
import { benchTables } from './tables.ts';

const USAGE = `Usage: node dist/bench/influence/main.js --data DIR [options]
  --data DIR       holds tabular/ (breast-cancer-wdbc, optdigits, adult) and fashion-mnist/
  --only NAME      tables, pictures, or one table: breast-cancer-wdbc, optdigits, adult
  --seeds N        random removals of each kind (default 10)
  --ridge X        penalty of the tables' models beside the sum of losses (default 1)
  --size N         pictures to find wrong labels among (default 10000)
  --curvature N    of them to take the curvature over (default 2000)
  --share X        of labels that are changed (default 0.1)
  --norms          also inspect by gradient norm
  --epochs N       of training (default 3)
  --damping X      of the curvature (default 0.1)
  --iterations N   of conjugate gradients at most (default 30)
  --device NAME    cpu, webgpu or reference (default auto)`;

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '10' },
    ridge: { type: 'string', default: '1' },
    size: { type: 'string', default: '10000' },
    curvature: { type: 'string', default: '2000' },
    norms: { type: 'boolean', default: false },
    share: { type: 'string', default: '0.1' },
    epochs: { type: 'string', default: '3' },
    damping: { type: 'string', default: '0.1' },
    iterations: { type: 'string', default: '30' },
    device: { type: 'string', default: 'auto' },
    help: { type: 'boolean', short: 'h' },
  },
} as const);

if (values.help || values.data === undefined) console.log(USAGE);
else {
  await lt.init({ device: values.device as 'auto' });
  const say = (line: string) => console.log(line);
  const one = ['', 'tables', 'pictures'].includes(values.only) ? undefined : values.only;
  if (values.only !== 'pictures')
    await benchTables(join(values.data, 'tabular'), Number(values.seeds), Number(values.ridge), say, one);
  if (values.only === '' || values.only === 'pictures')
    await benchPictures(
      {
        dir: values.data,
        size: Number(values.size),
        validation: 2000,
        curvature: Number(values.curvature),
        norms: values.norms,
        epochs: Number(values.epochs),
        damping: Number(values.damping),
        iterations: Number(values.iterations),
        seed: 0,
        share: Number(values.share),
      },
      say,
    );
  await lt.close();
}
