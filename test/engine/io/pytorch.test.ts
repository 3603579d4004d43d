// PyTorch state dicts: names, layouts, messages, and numbers recorded from PyTorch 2.6 (float64, on a CPU).
//
// How the numbers were made, so that they can be made again: the modules of docs/models.md with 3 classes and no input
// normalisation; every tensor of the state dict filled with `noise` below (tensor number 1, 2, ... in the order of the
// sorted names without num_batches_tracked) as `filled` says; images 4 * noise(0), made as [N, H, W, C]; labels 0, 1, 2;
// logits in eval mode, then two steps of SGD in train mode (rate 0.01, momentum 0.9, weight decay 5e-4), the losses on
// the way, and logits in eval mode again. With larger images (9x8, vgg16 32x32) all weights, statistics and logits of all
// six models agreed to 1e-12.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';

const { io, nn } = lt;
beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const recorded = {
  mlp: {
    shape: [3, 5, 4, 3],
    logits: [-0.07343392102547275, -4.456756147659942, -0.0386078654797159],
    losses: [0.6138613038518008, 0.5099869609514852],
    after: [0.12093364840203619, -4.147320910832586, -0.9974618037023375],
  },
  lenet: {
    shape: [3, 20, 17, 3],
    logits: [-0.14955027426819267, -10.674451948633077, 7.467848865320158],
    losses: [8.895155696690145, 5.936752514484831],
    after: [2.075773586488265, -1.4620100645631255, -2.42991690569726],
  },
  smallCnn: {
    shape: [3, 9, 6, 3],
    logits: [-3.4794081862586035, -0.17272456262111202, -1.8881142768590307],
    losses: [2.3970499469969826, 4.7546545813481496],
    after: [8.150156102180599, -13.238180042657499, -1.341253873535482],
  },
  allCnn: {
    shape: [3, 5, 4, 3],
    logits: [0.939503327194042, -0.31783681307386835, 0.6044906215174848],
    losses: [1.64936012653354, 0.530329078610822],
    after: [1.6745603588964115, -1.2771046996087094, 0.6082210752236082],
  },
  resnet18: {
    shape: [3, 5, 4, 3],
    logits: [4.862527070406047, -6.074257655792094, -1.5044306012880249],
    losses: [1.615983907370332, 1.2798109995333926],
    after: [748602.1723919472, -774316.3618627418, 248193.10369348867],
  },
};

/** n numbers in [-0.5, 0.5) from a hash of position and tensor number. */
function noise(tensor: number, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    let h = (Math.imul(i, 2654435761) + Math.imul(tensor, 1013904223)) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32 - 0.5;
  });
}
/** Weights of layers within sqrt(6 / fanIn), variances and weights of norms 0.5 to 1.5, everything else within 0.25. */
function filled(dict: Record<string, lt.io.StoredTensor>): Record<string, lt.io.StoredTensor> {
  const names = Object.keys(dict).filter((n) => !n.endsWith('num_batches_tracked'));
  return Object.fromEntries(
    names.sort().map((name, i) => {
      const { shape } = dict[name];
      const size = shape.reduce((a, b) => a * b, 1);
      const scale = 2 * Math.sqrt((6 * shape[0]) / size);
      const around = name.endsWith('running_var') || name.endsWith('weight') ? 1 : 0;
      const data = noise(i + 1, size).map((u) =>
        shape.length > 1 ? u * scale : around === 1 ? 1 + u : u / 2,
      );
      return [name, { data, shape, dtype: 'float64' as const }];
    }),
  );
}
const blank = (model: lt.nn.Model, shape: readonly number[]): lt.nn.Variables =>
  lt.tree.map(
    (a) => lt.zeros(a.shape),
    lt.evalShape((k: lt.Tensor) => model.init(k, shape), lt.random.key(0)),
  );

const models = {
  mlp: nn.mlp({ classes: 3, hidden: [16, 8] }),
  lenet: nn.lenet({ classes: 3 }),
  smallCnn: nn.smallCnn({ classes: 3 }),
  allCnn: nn.allCnn({ classes: 3 }),
  resnet18: nn.resnet18({ classes: 3 }),
};

describe('the same weights give the numbers PyTorch gives', () => {
  test.each(Object.entries(models))(
    '%s',
    async (name, model) => {
      const { shape, logits, losses, after } = recorded[name as keyof typeof models];
      const dict = filled(await io.toPyTorch(model, blank(model, shape), { inputShape: shape }));
      let { params, state } = io.fromPyTorch(model, dict, { inputShape: shape });
      const close = (found: ArrayLike<number>, expected: readonly number[]) =>
        expected.forEach((e, i) => {
          expect(Math.abs(found[i] - e)).toBeLessThan(1e-11 * (1 + Math.abs(e)));
        });

      const x = lt.tensor(
        noise(
          0,
          shape.reduce((a, b) => a * b, 1),
        ).map((u) => 4 * u),
        { shape },
      );
      const evaluate = lt.jit((p, s) => model.apply({ params: p, state: s }, x).output);
      close(await evaluate(params, state).data(), logits);
      if (name === 'resnet18') return; // its training takes the reference backend too long

      const y = lt.tensor([0, 1, 2], { dtype: 'int32' });
      const optimiser = lt.optim.sgd({ learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4 });
      let memory = optimiser.init(params);
      const step = lt.jit((p, s, m) => {
        const loss = (q: lt.nn.Variables['params']) => {
          const result = model.apply({ params: q, state: s }, x, { train: true });
          return [lt.crossEntropy(result.output, y), result.state];
        };
        const [[value, next], grads] = lt.valueAndGrad(loss, { hasAux: true })(p);
        const updated = optimiser.update(grads, m, p);
        return [updated.params, next, updated.state, value];
      });
      const seen: number[] = [];
      for (let i = 0; i < 2; i++) {
        let value: lt.Tensor;
        [params, state, memory, value] = step(params, state, memory);
        seen.push(await value.item());
      }
      close(seen, losses);
      close(await evaluate(params, state).data(), after);
    },
    60_000,
  );
});

test('a converted model survives the file: same bytes of weights after a round trip', async () => {
  const model = nn.smallCnn({ classes: 4 });
  const variables = model.init(lt.random.key(1), [1, 6, 10, 2]);
  const dict = await io.toPyTorch(model, variables);
  expect(Object.fromEntries(Object.entries(dict).map(([n, t]) => [n, t.shape]))).toEqual({
    'conv1.weight': [32, 2, 3, 3],
    'conv1.bias': [32],
    'conv2.weight': [64, 32, 3, 3],
    'conv2.bias': [64],
    'fc1.weight': [128, 128],
    'fc1.bias': [128],
    'fc2.weight': [4, 128],
    'fc2.bias': [4],
  });
  const { tensors } = io.loadSafetensors(await io.saveSafetensors(dict, { format: 'pt' }));
  const back = io.fromPyTorch(model, tensors);
  const [a, b] = [variables, back].map((v) => lt.tree.entries<lt.Tensor>(v.params));
  expect(b.map(([n, t]) => [n, t.shape])).toEqual(a.map(([n, t]) => [n, t.shape]));
  for (let i = 0; i < a.length; i++)
    expect(await b[i][1].data()).toEqual((await a[i][1].data()).map(Math.fround));
});

test('names are torchvision’s', async () => {
  const resnet = Object.keys(await io.toPyTorch(models.resnet18, blank(models.resnet18, [1, 8, 8, 3])));
  expect(resnet.length).toBe(122);
  for (const name of [
    'conv1.weight',
    'bn1.num_batches_tracked',
    'layer1.0.conv1.weight',
    'layer2.0.downsample.0.weight',
    'layer2.0.downsample.1.running_mean',
    'layer4.1.bn2.running_var',
    'fc.bias',
  ])
    expect(resnet).toContain(name);
  const vgg = nn.vgg16({ classes: 3 });
  const names = lt.tree
    .entries(lt.evalShape((k: lt.Tensor) => vgg.init(k, [1, 32, 32, 3]), lt.random.key(0)).params)
    .map(([n]) => n);
  for (const name of [
    'features.0.weight',
    'features.1.bias',
    'features.40.weight',
    'features.41.weight',
    'classifier.weight',
  ])
    expect(names).toContain(name);
});

describe('messages', () => {
  const model = nn.allCnn({ classes: 10 });
  const good = async () => io.toPyTorch(model, blank(model, [1, 8, 8, 3]));

  test('missing, unexpected and misshapen tensors are listed', async () => {
    const dict = { ...(await good()) };
    dict['classifier.0.bias'] = { data: new Float32Array(11), shape: [11], dtype: 'float32' };
    dict['head.weight'] = dict['features.0.0.weight'];
    delete dict['features.0.0.weight'];
    expect(() => io.fromPyTorch(model, dict)).toThrow(
      'fromPyTorch: the state dict does not fit allCnn: missing features.0.0.weight; unexpected head.weight; ' +
        'wrong: classifier.0.bias is float32[11], expected float32[10]',
    );
  });
  test('many names are cut short', () => {
    expect(() => io.fromPyTorch(model, {})).toThrow(/missing [^;]*, and \d+ more$/);
  });
  test('a DataParallel prefix is dropped', async () => {
    const dict = Object.fromEntries(Object.entries(await good()).map(([n, t]) => [`module.${n}`, t]));
    expect(lt.tree.entries(io.fromPyTorch(model, dict).params).length).toBe(26);
  });
  test('the mlp needs the shape of its images; other models have no PyTorch form', async () => {
    await expect(io.toPyTorch(models.mlp, blank(models.mlp, [1, 2, 2, 1]))).rejects.toThrow(/inputShape/);
    expect(() => io.fromPyTorch(nn.dense(3), {})).toThrow(/no PyTorch names for model 'dense'/);
  });
  test('data that does not fill its shape', async () => {
    const dict = { ...(await good()) };
    dict['classifier.0.bias'] = { data: new Float32Array(9), shape: [10], dtype: 'float32' };
    expect(() => io.fromPyTorch(model, dict)).toThrow(/9 elements/);
  });
});
