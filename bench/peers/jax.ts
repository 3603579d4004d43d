// jax-js on WebGPU, each case as one jitted function. Its convolutions take NCHW and OIHW; operands are laid out so
// beforehand and results turned back outside the measurement. Functions own their arguments: `.ref` keeps one.

import { inputs, labels, weightScale } from '../inputs.ts';
import { type Cases, type Foreign, peerModule, serve, type Work } from './serve.ts';

/** Elements of an array of this shape with its axes permuted as `order` says. */
export function permute(
  x: ArrayLike<number>,
  shape: readonly number[],
  order: readonly number[],
): Float32Array {
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((n, s) => n * s, 1));
  const sizes = order.map((d) => shape[d]);
  const out = new Float32Array(x.length);
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    let at = 0;
    for (let d = sizes.length - 1; d >= 0; d--) {
      at += (rest % sizes[d]) * strides[order[d]];
      rest = Math.floor(rest / sizes[d]);
    }
    out[i] = x[at];
  }
  return out;
}
const NCHW = [0, 3, 1, 2];
const NHWC = [0, 2, 3, 1];
const OIHW = [3, 2, 0, 1];
const HWIO = [2, 3, 1, 0];

async function start(): Promise<{ name: string; cases: Cases }> {
  const jax: Foreign = peerModule('@jax-js/jax');
  const { numpy: np, lax, jit, nn } = jax;
  const found = await jax.init('webgpu');
  if (!found.includes('webgpu')) throw new Error('jax-js finds no WebGPU');
  jax.defaultDevice('webgpu');
  const size = (shape: readonly number[]): number => shape.reduce((n, s) => n * s, 1);
  const array = (n: number, shape: number[], order?: number[], scale = 1): Foreign => {
    const values = inputs(n, size(shape), scale);
    if (!order) return np.array(values).reshape(shape);
    return np.array(permute(values, shape, order)).reshape(order.map((d) => shape[d]));
  };

  /** A function of fixed operands; `back` permutes its result to the bench's layout. */
  const pure = (f: (...xs: Foreign[]) => Foreign, operands: Foreign[], back?: number[]): Work => {
    const compiled = jit(f);
    return {
      run: () => compiled(...operands.map((x) => x.ref)),
      finish: (y) => jax.blockUntilReady(y),
      async values(y) {
        const shape = y.shape;
        const data = await y.ref.data();
        return back ? permute(data, shape, back) : data;
      },
      free: (y) => y.dispose(),
      dispose: () => {
        for (const x of operands) x.dispose();
        compiled.dispose();
      },
    };
  };

  const cases: Cases = {
    matmul: ({ m, n, k }) => pure((a, b) => np.matmul(a, b), [array(0, [m, k]), array(1, [k, n])]),
    elementwise: ({ n, operands }) =>
      operands === 2
        ? pure((x, y) => x.add(y), [array(0, [n]), array(1, [n])])
        : pure((x, y) => nn.relu(x.mul(0.5).add(y.ref)).mul(np.tanh(y)), [array(0, [n]), array(1, [n])]),
    reduction: ({ rows, columns, axis }) =>
      pure((x) => np.sum(x, axis < 0 ? null : axis), [array(0, [rows, columns])]),
    conv({ n, c, o, h, k, stride, direction }) {
      const out = h / stride;
      const scale = weightScale(k * k * c);
      const x = array(0, [n, h, h, c], NCHW);
      const w = array(1, [k, k, c, o], OIHW, scale);
      const dy = array(2, [n, out, out, o], NCHW);
      const low = Math.floor(k / 2);
      const high = (out - 1) * stride + k - h - low;
      const conv = (a: Foreign, b: Foreign): Foreign =>
        lax.convGeneralDilated(
          a,
          b,
          [stride, stride],
          [
            [low, high],
            [low, high],
          ],
        );
      if (direction === 'forward') {
        dy.dispose();
        return pure(conv, [x, w], NHWC);
      }
      const pull = (a: Foreign, b: Foreign, d: Foreign): Foreign[] => jax.vjp(conv, [a, b])[1](d);
      const one = direction === 'input' ? 0 : 1;
      return pure(
        (a, b, d) => {
          const grads = pull(a, b, d);
          grads[1 - one].dispose();
          return grads[one];
        },
        [x, w, dy],
        one === 0 ? NHWC : HWIO,
      );
    },
    train({ n }) {
      const flat = 4096;
      const dense1 = permute(inputs(12, flat * 128, weightScale(flat)), [8, 8, 64, 128], [2, 0, 1, 3]);
      let params: Foreign = {
        w1: array(10, [3, 3, 3, 32], OIHW, weightScale(27)),
        b1: np.zeros([32]),
        w2: array(11, [3, 3, 32, 64], OIHW, weightScale(288)),
        b2: np.zeros([64]),
        w3: np.array(dense1).reshape([flat, 128]),
        b3: np.zeros([128]),
        w4: array(13, [128, 10], undefined, weightScale(128)),
        b4: np.zeros([10]),
      };
      const zeros = (): Foreign => jax.tree.map((p: Foreign) => np.zeros(p.shape), jax.tree.ref(params));
      let velocity = zeros();
      const x = array(0, [n, 32, 32, 3], NCHW);
      const y = np.array(labels(1, n));
      const layer = (h: Foreign, w: Foreign, b: Foreign): Foreign => {
        const z = nn.relu(lax.conv(h, w, [1, 1], 'SAME').add(b.reshape([1, -1, 1, 1])));
        const [batch, channels, height, width] = z.shape;
        return np.max(z.reshape([batch, channels, height / 2, 2, width / 2, 2]), [3, 5]);
      };
      const loss = (p: Foreign, a: Foreign, t: Foreign): Foreign => {
        const h = layer(layer(a, p.w1, p.b1), p.w2, p.b2).reshape([n, flat]);
        const logits = np.matmul(nn.relu(np.matmul(h, p.w3).add(p.b3)), p.w4).add(p.b4);
        return nn
          .logSoftmax(logits, -1)
          .mul(nn.oneHot(t, 10))
          .sum()
          .mul(-1 / n);
      };
      const step = jit((p: Foreign, v: Foreign, a: Foreign, t: Foreign) => {
        const [value, grads] = jax.valueAndGrad(loss)(jax.tree.ref(p), a, t);
        const next: Foreign = {};
        const speed: Foreign = {};
        for (const name of Object.keys(p)) {
          speed[name] = v[name].mul(0.9).add(grads[name]).add(p[name].ref.mul(5e-4));
          next[name] = p[name].sub(speed[name].ref.mul(0.01));
        }
        return [next, speed, value];
      });
      return {
        run() {
          const [next, speed, value] = step(params, velocity, x.ref, y.ref);
          params = next;
          velocity = speed;
          return value;
        },
        finish: () => jax.blockUntilReady(params),
        values: (value) => value.ref.data(),
        free: (value) => value.dispose(),
        dispose() {
          jax.tree.dispose([params, velocity, x, y]);
          step.dispose();
        },
      };
    },
  };
  return { name: 'jax-js 0.1.25', cases };
}

await serve(start);
