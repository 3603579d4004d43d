// PUMA and influences on a convex loss: softmax regression on real tables, beside re-fits to the minimum (softmax.ts).

import { join } from 'node:path';
import * as lt from '../../index.ts';
import { takeSplit } from '../../unlearn/data/split.ts';
import { datasets, influences, methods } from '../../unlearn/index.ts';
import { minimumNorm } from '../../unlearn/methods/reweight.ts';
import { permutation } from '../../unlearn/random.ts';
import type { Split } from '../../unlearn/types.ts';
import { distance, mean, percent, sd, spearman } from './numbers.ts';
import { SoftmaxRegression, type Table } from './softmax.ts';

const TABLES = {
  'breast-cancer-wdbc': { file: 'breast-cancer-wdbc/wdbc.data', label: 'diagnosis', drop: ['id'] },
  optdigits: { file: 'optdigits/optdigits.tra.csv.gz', label: -1 },
  // Numbers only: the reader knows no categories.
  adult: { file: 'adult/adult.data.gz', label: 14, drop: [1, 3, 5, 6, 7, 8, 9, 13], header: false },
} as const;

interface Tried {
  readonly solver?: 'none' | 'minimumNorm' | 'ridge' | 'l1' | 'sgd';
  readonly steps: number;
  readonly secondOrder?: boolean;
}
/** One step of first order. */
const PAPER = { steps: 1, secondOrder: false };
const TRIED: readonly Tried[] = [
  ...[1, 5].map((steps) => ({ solver: 'none' as const, steps })),
  ...[1, 5, 10].map((steps) => ({ solver: 'minimumNorm' as const, steps })),
  ...[1, 5, 10].map((steps) => ({ solver: 'minimumNorm' as const, steps, secondOrder: true })),
  ...(['ridge', 'l1', 'sgd'] as const).map((solver) => ({ solver, steps: 1 })),
];

/** All of them, one after the other, or one. @param dir holds the tables' folders. */
export async function benchTables(
  dir: string,
  seeds: number,
  ridge: number,
  say: (line: string) => void,
  only?: string,
): Promise<void> {
  for (const [name, { file, ...how }] of Object.entries(TABLES)) {
    if (only && name !== only) continue;
    const { train, test, classes } = await datasets.load('csv', {
      dir: join(dir, file),
      testRatio: 0.3,
      ...how,
    });
    await benchTable(name, train, test, classes.length, { seeds, ridge }, say);
  }
}

async function benchTable(
  name: string,
  data: Split,
  validation: Split,
  classes: number,
  { seeds, ridge }: { readonly seeds: number; readonly ridge: number },
  say: (line: string) => void,
): Promise<void> {
  const n = data.size;
  // Beside the sum of losses ridge / 2 |W|^2: 1 is usual for logistic regression.
  const penalty = ridge / n;
  const [table, held] = [data, validation].map((split) => tableOf(split, classes));
  const fitter = new SoftmaxRegression(table, penalty);
  const w = fitter.fit();
  const loss = (at: Float64Array) => SoftmaxRegression.loss(at, held);
  const before = loss(w);
  const model = lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(classes) });
  const variables = variablesOf(w, classes);
  const solve = { damping: penalty, iterations: 300, tolerance: 1e-5, batchSize: 1024 };
  say(
    `\n${name}: ${n} samples, ${w.length} parameters, penalty ${ridge}/n; loss on ${validation.size} others ${before.toFixed(5)}`,
  );

  const { phi, residuals, iterations, seconds } = await influences({
    model,
    variables,
    data,
    criteria: [validation],
    ...solve,
  });
  say(
    `influences: ${seconds.inverse.toFixed(2)} s for the inverse product (${iterations[0]} iterations, residual ${residuals[0].toExponential(1)}), ${seconds.pass.toFixed(2)} s for the pass`,
  );
  const refit = (weights: (i: number) => number) =>
    fitter.fit(
      Float64Array.from({ length: n }, (_, i) => weights(i)),
      w,
      1e-9,
    );
  const some = permutation(n, 7).slice(0, 200);
  const left = Array.from(some, (gone) => loss(refit((i) => (i === gone ? 0 : 1))) - before);
  const told = Array.from(some, (i) => phi[0][i] / n);
  say(`leave-one-out, ${some.length} samples: rank correlation ${spearman(told, left).toFixed(4)}`);

  /** What the method makes of a removal, beside the re-fit with the same weights. */
  const unlearn = async (gone: Int32Array, options: Parameters<typeof methods.puma>[0]) => {
    const out = new Set(gone);
    const kept = Int32Array.from({ length: n }, (_, i) => i).filter((i) => !out.has(i));
    const [forget, retain] = [takeSplit(data, gone), takeSplit(data, kept)];
    const input = { model, variables, forget, retain, validation, key: lt.random.key(0) };
    const result = await methods.puma({ ...PAPER, ...options, ...solve }).unlearn(input);
    const after = await flatOf(result.variables);
    for (const t of lt.tree.flatten<lt.Tensor>(result.variables).leaves) t.dispose();
    return after;
  };

  /** The weights that re-weighting chooses in one step, 1 being a sample's own. */
  const weightsWithout = (out: ReadonlySet<number>, solver: 'none' | 'minimumNorm') => {
    const kept = [...phi[0].keys()].filter((i) => !out.has(i));
    const removal = -[...out].reduce((sum, i) => sum + phi[0][i], 0);
    const lambda = minimumNorm({ influences: [kept.map((i) => phi[0][i])], removal: [removal] });
    const weights = new Float64Array(n);
    kept.forEach((i, at) => {
      weights[i] = 1 + (solver === 'none' ? 0 : lambda[at]);
    });
    return (i: number) => weights[i];
  };

  for (const solver of ['none', 'minimumNorm'] as const) {
    const few = Math.max(1, Math.round(n / 100));
    const removals = Array.from({ length: seeds }, (_, seed) => permutation(n, seed).slice(0, few).sort());
    const exact = removals.map((gone) => refit(weightsWithout(new Set(gone), solver)));
    const moves = exact.map((fitted) => Math.abs(loss(fitted) - before) / before);
    say(
      `1% at random, ${solver}, ${seeds} removals: re-fits with the weights move the loss by ${percent(mean(moves))}`,
    );
    for (const [steps, secondOrder] of [
      [1, false],
      [1, true],
      [10, true],
    ] as const) {
      const [far, share, rest]: number[][] = [[], [], []];
      for (const [k, gone] of removals.entries()) {
        const after = await unlearn(gone, { solver, steps, secondOrder });
        const apart = distance(after, exact[k]);
        far.push(apart / distance(w, exact[k]));
        share.push(apart / distance(exact[k], new Float64Array(w.length)));
        rest.push(Math.abs(loss(after) - loss(exact[k])) / before);
      }
      say(
        `  ${nameOf({ steps, secondOrder })}: off the re-fit by ${percent(mean(far))} of the way (most ${percent(Math.max(...far))}), ${percent(mean(share))} of the parameters, ${percent(mean(rest))} of the loss`,
      );
    }
  }

  const count = Math.round(n / 20);
  const random = Array.from({ length: seeds }, (_, seed) => {
    const out = new Set(permutation(n, 100 + seed).slice(0, count));
    return loss(refit((i) => (out.has(i) ? 0 : 1))) - before;
  });
  const spread = sd(random);
  const helpful = Int32Array.from(
    [...phi[0].keys()].sort((a, b) => phi[0][b] - phi[0][a]).slice(0, count),
  ).sort();
  const gone = new Set(helpful);
  const plain = loss(refit((i) => (gone.has(i) ? 0 : 1))) - before;
  say(
    `5% most helpful, re-fit without them: loss ${signed(plain)} (${(plain / spread).toFixed(1)} sd; 5% at random ${signed(mean(random))}, sd ${spread.toExponential(1)} over ${seeds})`,
  );
  const reweighted = loss(refit(weightsWithout(gone, 'minimumNorm'))) - before;
  say(`  re-fit with the weights of minimumNorm: loss ${signed(reweighted)}`);
  for (const options of TRIED) {
    const what = `  ${nameOf(options)}`;
    try {
      const change = loss(await unlearn(helpful, options)) - before;
      say(`${what}: loss ${signed(change)}, ${percent(Math.abs(change) / plain)} of the re-fit’s change`);
    } catch (error) {
      say(`${what}: ${(error as Error).message}`);
    }
  }
}

const nameOf = ({ solver, steps, secondOrder }: Tried): string =>
  [solver, `${steps} step${steps > 1 ? 's' : ''}`, ...(secondOrder ? ['second order'] : [])]
    .filter(Boolean)
    .join(', ');

const signed = (x: number): string => `${x < 0 ? '-' : '+'}${Math.abs(x).toPrecision(3)}`;

function tableOf({ size, images, labels }: Split, classes: number): Table {
  const d = images.length / size + 1;
  const x = new Float64Array(size * d).fill(1);
  for (let i = 0; i < size; i++)
    for (let c = 0; c < d - 1; c++) x[i * d + c] = Math.fround(images[i * (d - 1) + c] / 255);
  return { x, labels, classes };
}

const variablesOf = (w: Float64Array, classes: number): lt.nn.Variables => {
  const values = Float32Array.from(w);
  const weight = lt.tensor(values.slice(0, -classes), { shape: [w.length / classes - 1, classes] });
  return {
    params: { flatten: {}, fc: { weight, bias: lt.tensor(values.slice(-classes)) } },
    state: { flatten: {}, fc: {} },
  };
};

async function flatOf({ params }: lt.nn.Variables): Promise<Float64Array> {
  const { fc } = params as unknown as { fc: { weight: lt.Tensor; bias: lt.Tensor } };
  return Float64Array.from([...(await fc.weight.data()), ...(await fc.bias.data())]);
}
