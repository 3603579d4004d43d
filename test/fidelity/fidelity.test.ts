// Each method whose authors released code, step by step beside an independent implementation in PyTorch: the weights after
// each epoch of a tiny problem in double precision (trajectories.py made them). Where paper and code differ, both are there.
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import type { Classifier, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { makeSplit, takeSplit } from '../../unlearn/data/split.ts';
import { fisherDiagonal } from '../../unlearn/fisher-diagonal.ts';
import { shadowClass } from '../../unlearn/methods/boundaryExpanding.ts';
import { methods } from '../../unlearn/methods/index.ts';
import type { Method, UnlearnInput } from '../../unlearn/types.ts';
import { disposeAll, valuesOf } from '../unlearn/problems.ts';

type Values = Record<string, number[]>;
interface Problem {
  readonly bytes: number[];
  readonly labels: number[];
  readonly classes: number;
  readonly forget: number[];
  readonly original: Values;
  readonly other: Values;
}
const read = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const { steps, three, two, trajectories } = read('trajectories.json') as {
  steps: number;
  three: Problem;
  two: Problem;
  trajectories: Record<string, Values[]>;
};

const KEY = () => lt.random.key(7);

/** Pixels reach a network as float32, a byte / 255 rounded to 24 bits. */
const TOLERANCE = 1e-7;

function model(classes: number): Classifier {
  const net = lt.nn.sequential({
    conv: lt.nn.conv2d(3, { padding: 1, bias: false }),
    bn: lt.nn.batchNorm(),
    relu: lt.nn.relu(),
    pool: lt.nn.maxPool({ size: 2 }),
    flatten: lt.nn.flatten(),
    fc: lt.nn.dense(classes),
  });
  return { ...net, head: ['fc'] };
}
/** The tree with these values. */
function variablesOf(net: Classifier, values: Values): Variables {
  const like = lt.scope(() => net.init(lt.random.key(0), [1, 6, 6, 1]));
  const paths = new Map(lt.tree.entries<lt.Tensor>(like as never).map(([path, t]) => [t, path]));
  return lt.tree.map((t: lt.Tensor) => {
    const path = paths.get(t) as string;
    return lt.tensor(Float64Array.from(values[path]), { shape: t.shape, dtype: 'float64' });
  }, like as never) as unknown as Variables;
}
function inputOf(problem: Problem): UnlearnInput {
  const { bytes, labels, classes } = problem;
  const images = Uint8Array.from(bytes);
  const all = makeSplit({ shape: [6, 6, 1], images, labels: Int32Array.from(labels) });
  const rest = labels.map((_, i) => i).filter((i) => !problem.forget.includes(i));
  const net = model(classes);
  return {
    model: net,
    variables: variablesOf(net, problem.original),
    forget: takeSplit(all, problem.forget),
    retain: takeSplit(all, rest),
    key: KEY(),
  };
}

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

// What the methods draw at random, the script is told: UPDATE_FIDELITY=1 writes it, then the script is to be run.
test('inputs.json holds what is drawn', async () => {
  const shadow = shadowClass(KEY(), [27, 3], 'xavier', 'float64');
  const teacher = model(3).init(lt.random.foldIn(KEY(), 1), [1, 6, 6, 1]);
  const drawn = {
    teacher: await valuesOf(teacher),
    shadow: { weight: await shadow.weight.reshape([27]).array(), bias: await shadow.bias.array() },
  };
  const file = new URL('inputs.json', import.meta.url);
  if (process.env.UPDATE_FIDELITY) writeFileSync(file, `${JSON.stringify(drawn)}\n`);
  expect(read('inputs.json')).toEqual(drawn);
});

const sgd = { batchSize: 100, learningRate: 0.05, momentum: 0.9, weightDecay: 5e-4 };
const cases: [string, Problem, (epochs: number) => Method][] = [
  ['finetune', three, (epochs) => methods.finetune({ ...sgd, epochs })],
  ['gradientAscent', three, (epochs) => methods.gradientAscent({ ...sgd, epochs, learningRate: 0.02 })],
  ['randomLabels', two, (epochs) => methods.randomLabels({ ...sgd, epochs })],
  [
    'boundaryShrink',
    three,
    (epochs) => methods.boundaryShrink({ ...sgd, epochs, learningRate: 0.02, weightDecay: 0 }),
  ],
  [
    'boundaryShrink released',
    three,
    (epochs) =>
      methods.boundaryShrink({
        ...sgd,
        epochs,
        learningRate: 0.02,
        weightDecay: 0,
        epsilonConvention: 'released',
        excludeTrueLabel: false,
      }),
  ],
  [
    'boundaryExpanding',
    three,
    (epochs) => methods.boundaryExpanding({ ...sgd, epochs, learningRate: 0.02, weightDecay: 0 }),
  ],
  ['salun', two, (epochs) => methods.salun({ ...sgd, epochs, alpha: 0.7 })],
  ['salun phases', two, (epochs) => methods.salun({ ...sgd, epochs, objective: 'phases' })],
  ['salun soft', two, (epochs) => methods.salun({ ...sgd, epochs, objective: 'phases', mask: 'soft' })],
  [
    'scrub',
    three,
    (epochs) =>
      methods.scrub({
        ...sgd,
        epochs,
        learningRate: 0.01,
        optimizer: 'sgd',
        schedule: 'constant',
        maxEpochs: 2,
      }),
  ],
  ['negGradPlus', three, (epochs) => methods.negGradPlus({ ...sgd, epochs, learningRate: 0.02, beta: 0.8 })],
  ['l1Sparse', three, (epochs) => methods.l1Sparse({ ...sgd, epochs, learningRate: 0.02, alpha: 5e-3 })],
  [
    'badTeacher',
    three,
    (epochs) =>
      methods.badTeacher({ batchSize: 100, epochs, learningRate: 1e-2, weightDecay: 0, retainShare: 1 }),
  ],
  [
    'distillation',
    three,
    (epochs) => methods.distillation({ ...sgd, epochs, learningRate: 0.02, weightDecay: 0 }),
  ],
  ['amun', three, (epochs) => methods.amun({ ...sgd, epochs, learningRate: 0.02, decayEvery: 100 })],
  [
    'influence released',
    three,
    () => methods.influence({ solver: 'released', gradient: 'difference', scale: 2 }),
  ],
  [
    'l2ul',
    two,
    (epochs) =>
      methods.l2ul({
        ...sgd,
        epochs,
        weightDecay: 1e-4,
        forgetBatchSize: 100,
        adversaries: 2,
        radius: 1,
        steps: 3,
        randomStart: false,
        untilForgotten: false,
      }),
  ],
  ['ssd', three, () => methods.ssd({ alpha: 1.5, lambda: 0.5, batchSize: 100 })],
  [
    'amnesiac relabel',
    two,
    (epochs) => methods.amnesiac({ ...sgd, epochs, variant: 'relabel', optimizer: 'sgd' }),
  ],
];

/** What changes over a run depends on its length: there the end alone can be compared. */
const scheduled = ['salun soft', 'l1Sparse'];

test.each(cases)('%s', async (name, problem, make) => {
  const input = inputOf(problem);
  for (const [step, wanted] of trajectories[name].entries()) {
    if (scheduled.includes(name) && step + 1 < steps) continue;
    const { variables } = await make(step + 1).unlearn(input);
    const values = await valuesOf(variables);
    disposeAll(variables);
    compare(values, wanted, `after ${step + 1} of ${steps}`);
  }
});

test.each([
  ['fisher model', { model: 3 }],
  ['fisher labels', 'data'],
] as const)('%s', async (name, labels) => {
  const { model, variables, retain } = inputOf(three);
  const how = { model, variables, labels, per: 'sample', batchSize: 5 } as const;
  const { values } = await fisherDiagonal(retain, how);
  compare(await valuesOf({ params: values, state: {} } as never), trajectories[name][0], name);
});

function compare(values: Values, wanted: Values, when: string): void {
  for (const [path, expected] of Object.entries(wanted)) {
    const apart = values[path].map((v, i) => Math.abs(v - expected[i]) / (1 + Math.abs(expected[i])));
    expect(Math.max(...apart), `${path}, ${when}`).toBeLessThan(TOLERANCE);
  }
}
