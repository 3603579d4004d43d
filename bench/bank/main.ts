// node dist/bench/bank/main.js: what docs/bank.md says of training several networks as one program. A step of W networks by
// vmap over stacked weights, each with its own batch, and W steps one after the other, in turns in one process. Lines go to
// stdout as they come.

import { parseArgs } from 'node:util';
import * as lt from '../../index.ts';
import { disposeTree } from '../../unlearn/train/feed.ts';
import { networkOf } from '../../unlearn/train/network.ts';

const USAGE = `Usage: node dist/bench/bank/main.js [options]
  --only NAME      smallCnn or allCnn
  --seconds N      for each line (default 2)
  --device NAME    cpu, webgpu or reference (default cpu)`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '2' },
    device: { type: 'string', default: 'cpu' },
    help: { type: 'boolean', short: 'h' },
  },
} as const);

const optimizer = lt.optim.sgd({ learningRate: 0.05, momentum: 0.9, weightDecay: 5e-4 });

interface World {
  readonly params: lt.nn.Variables['params'];
  readonly state: lt.nn.Variables['state'];
  readonly optimizer: lt.optim.OptimiserState;
}
interface Batch {
  readonly images: lt.Tensor;
  readonly labels: lt.Tensor;
}
/** A step of training, as a compiled function of a world and its batch. */
const stepOf =
  (model: lt.nn.Model) =>
  (world: World, { images, labels }: Batch) => {
    const network = networkOf(model, { train: true, key: lt.random.key(0) });
    const value = (params: World['params']): [lt.Tensor, [lt.Tensor, World['state']]] => {
      const { output, state } = network({ params, state: world.state }, images);
      const loss = lt.crossEntropy(output, labels);
      return [loss, [loss, state]];
    };
    const [[, [loss, state]], grads] = lt.valueAndGrad(value, { hasAux: true })(world.params);
    const next = optimizer.update(grads, world.optimizer, world.params);
    return [{ params: next.params, state, optimizer: next.state }, loss] as [World, lt.Tensor];
  };

const stacked = <T>(trees: readonly T[]): T => {
  const [first, ...others] = trees as unknown as readonly lt.tree.Tree<lt.Tensor>[];
  return lt.tree.map((...ts: lt.Tensor[]) => lt.stack(ts), first, ...others) as unknown as T;
};

const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1];
const shown = (times: readonly number[]) =>
  `${Math.min(...times).toFixed(1)} (median ${median(times).toFixed(1)})`;

/** Runs a step on what it gave before; the result is awaited. */
function runner(step: (world: World, batch: Batch) => [World, lt.Tensor], first: World, batch: Batch) {
  let world = first;
  return {
    async run() {
      const before = world;
      const [next, loss] = step(before, batch);
      disposeTree(before);
      world = next;
      await loss.data();
      loss.dispose();
    },
    /** Values of all parameters, in order. */
    values: async () => {
      const leaves = lt.tree.flatten<lt.Tensor>(world.params).leaves;
      return Promise.all(leaves.map((leaf) => leaf.data()));
    },
    world: () => world,
    dispose: () => disposeTree([world, batch]),
  };
}

async function compare(model: lt.nn.Model, shape: readonly number[], size: number, worlds: number) {
  const world = (w: number): World =>
    lt.scope(() => {
      const { params, state } = model.init(lt.random.key(w), [size, ...shape]);
      return { params, state, optimizer: optimizer.init(params) };
    });
  const batch = (w: number): Batch =>
    lt.scope(() => ({
      images: lt.random.uniform(lt.random.key(100 + w), [size, ...shape]),
      labels: lt.random.randint(lt.random.key(200 + w), [size], 0, 10),
    }));
  const each = Array.from({ length: worlds }, (_, w) => w);
  const alone = lt.jit(stepOf(model), { donate: [0] });
  const joint = lt.jit(lt.vmap(stepOf(model)), { donate: [0] });
  const many = runner(joint, stacked(each.map(world)), stacked(each.map(batch)));
  const ones = each.map((w) => runner(alone, world(w), batch(w)));
  const [together, apart]: [number[], number[]] = [[], []];
  const until = performance.now() + 1000 * Number(values.seconds);
  for (let turn = 0; turn < 4 || performance.now() < until; turn++) {
    let start = performance.now();
    await many.run();
    if (turn > 0) together.push((performance.now() - start) / worlds);
    start = performance.now();
    for (const one of ones) await one.run();
    if (turn > 0) apart.push((performance.now() - start) / worlds);
  }
  const [all, first] = [await many.values(), await ones[0].values()];
  const same = first.every((own, i) => own.every((value, at) => value === all[i][at]));
  const facts = [
    joint.program(many.world(), stacked(each.map(batch))),
    alone.program(ones[0].world(), batch(0)),
  ];
  const [programs, arenas] = [
    facts.map(({ instructions }) => instructions.length),
    facts.map(({ arenaBytes }) => (arenaBytes / 2 ** 20).toFixed(0)),
  ];
  for (const one of [many, ...ones]) one.dispose();
  joint.dispose();
  alone.dispose();
  return `ms a step of one network: vmap ${shown(together)}, alone ${shown(apart)}, ${apart.length} turns; arena ${arenas.join(' and ')} MiB; instructions ${programs.join(' and ')}; ${same ? 'same bits' : 'other bits'}`;
}

if (values.help) console.log(USAGE);
else {
  await lt.init({ device: values.device as 'cpu' | 'webgpu' | 'reference' });
  const models = { smallCnn: lt.nn.smallCnn({ classes: 10 }), allCnn: lt.nn.allCnn({ classes: 10 }) };
  for (const [name, model] of Object.entries(models))
    for (const shape of [
      [28, 28, 1],
      [32, 32, 3],
    ])
      for (const size of [64, 128])
        for (const worlds of [2, 4, 8])
          if (!values.only || values.only === name)
            console.log(
              `${name} ${shape.join('x')}, batch ${size}, ${worlds} networks: ${await compare(model, shape, size, worlds)}`,
            );
}
