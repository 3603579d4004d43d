// The gradient of every sample of a batch in one call, and one use of it: which samples pull hardest on the weights?

import * as lt from 'lethe';

await lt.init({ device: 'auto' });
const [k1, k2, k3] = lt.random.split(lt.random.key(1), 3);
const model = lt.nn.smallCnn({ classes: 10 });
const { params, state } = model.init(k1, [1, 16, 16, 3]);
const x = lt.random.normal(k2, [32, 16, 16, 3]);
const y = lt.random.randint(k3, [32], 0, 10);

// Write the loss of one sample; vmap makes it the losses of all.
const lossOfOne = (p, image, label) =>
  lt.crossEntropy(
    model.apply({ params: p, state }, image.reshape([1, ...image.shape])).output,
    label.reshape([1]),
  );
const perSample = lt.jit(lt.vmap(lt.grad(lossOfOne), { inAxes: [null, 0, 0] }));
const gradients = perSample(params, x, y); // each leaf has the batch as its first axis

const squares = lt.tree
  .flatten(gradients)
  .leaves.map((g) => g.mul(g).reshape([32, -1]).sum(1))
  .reduce((a, b) => a.add(b));
const norms = await squares.sqrt().data();
const order = [...norms.keys()].sort((a, b) => norms[b] - norms[a]);
console.log('samples with the largest gradients:', order.slice(0, 5).join(', '));

// Their mean is the gradient of the mean loss.
const whole = lt.grad((p) => lt.crossEntropy(model.apply({ params: p, state }, x).output, y))(params);
const differences = lt.tree
  .flatten(lt.tree.map((all, one) => all.mean(0).sub(one).abs().max(), gradients, whole))
  .leaves.map((d) => d.item());
const difference = Math.max(...(await Promise.all(differences)));
console.log(`largest difference between their mean and the batch gradient: ${difference.toExponential(1)}`);
await lt.close();

export { difference };
