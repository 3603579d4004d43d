// Hessian-vector products: curvature without the Hessian. Power iteration finds the direction in which a loss curves most.

import * as lt from 'lethe';

await lt.init({ device: 'auto' });
const [k1, k2, k3, k4] = lt.random.split(lt.random.key(3), 4);
const model = lt.nn.mlp({ classes: 3, hidden: [16] });
const { params, state } = model.init(k1, [1, 4, 4, 1]);
const x = lt.random.normal(k2, [64, 4, 4, 1]);
const y = lt.random.randint(k3, [64], 0, 3);
const loss = (p) => lt.crossEntropy(model.apply({ params: p, state }, x).output, y);

const dot = (a, b) =>
  lt.tree.flatten(lt.tree.map((u, v) => u.mul(v).sum(), a, b)).leaves.reduce((s, t) => s.add(t));
const normalised = (v) => {
  const length = dot(v, v).sqrt();
  return lt.tree.map((t) => t.div(length), v);
};

// One round: multiply by the Hessian at params, and see how much longer the vector became.
const round = lt.jit((p, v) => {
  const product = lt.hvp(loss, [p], [v]);
  return [normalised(product), dot(v, product)];
});

let v = normalised(lt.tree.map((p) => lt.random.normal(k4, p.shape), params));
let curvature = 0;
for (let i = 1; i <= 30; i++) {
  let value;
  [v, value] = round(params, v);
  curvature = await value.item();
  if (i % 10 === 0) console.log(`after ${i} rounds: largest curvature ${curvature.toFixed(5)}`);
}

// The same number from the gradient at two points close by, along v.
const h = 1e-2;
const at = (s) => lt.grad(loss)(lt.tree.map((p, d) => p.add(d.mul(s)), params, v));
const difference = await dot(
  lt.tree.map((a, b) => a.sub(b).div(2 * h), at(h), at(-h)),
  v,
).item();
console.log(`by differences of gradients: ${difference.toFixed(5)}`);
await lt.close();

export { curvature, difference };
