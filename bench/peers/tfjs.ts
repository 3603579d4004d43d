// TensorFlow.js on WebGPU. It runs eagerly; layouts are those of the bench. A run's operations are submitted at its end.

import { inputs, labels, weightScale } from '../inputs.ts';
import { type Cases, type Foreign, peerModule, serve, type Work } from './serve.ts';

async function start(): Promise<{ name: string; cases: Cases }> {
  const tf: Foreign = peerModule('@tensorflow/tfjs');
  peerModule('@tensorflow/tfjs-backend-webgpu');
  // Small tensors go to the GPU as well, as all of Lethe's do.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js finds no WebGPU');
  await tf.ready();
  const size = (shape: readonly number[]): number => shape.reduce((n, s) => n * s, 1);
  const array = (n: number, shape: number[], scale = 1): Foreign =>
    tf.tensor(inputs(n, size(shape), scale), shape);
  const finish = async (): Promise<void> => {
    const backend = tf.backend();
    if (backend.commandEncoder) {
      backend.endComputePassEncoder();
      backend.submitQueue();
    }
    await backend.queue.onSubmittedWorkDone();
  };
  const pure = (f: (...xs: Foreign[]) => Foreign, operands: Foreign[]): Work => ({
    run: () => tf.tidy(() => f(...operands)),
    finish,
    values: (y) => y.data(),
    free: (y) => y.dispose(),
    dispose: () => tf.dispose(operands),
  });

  const cases: Cases = {
    matmul: ({ m, n, k }) => pure((a, b) => tf.matMul(a, b), [array(0, [m, k]), array(1, [k, n])]),
    elementwise: ({ n, operands }) =>
      operands === 2
        ? pure((x, y) => tf.add(x, y), [array(0, [n]), array(1, [n])])
        : pure((x, y) => tf.relu(x.mul(0.5).add(y)).mul(tf.tanh(y)), [array(0, [n]), array(1, [n])]),
    reduction: ({ rows, columns, axis }) =>
      pure((x) => tf.sum(x, axis < 0 ? undefined : axis), [array(0, [rows, columns])]),
    conv({ n, c, o, h, k, stride, direction }) {
      const out = h / stride;
      const x = array(0, [n, h, h, c]);
      const w = array(1, [k, k, c, o], weightScale(k * k * c));
      const dy = array(2, [n, out, out, o]);
      const pad = Math.floor(k / 2);
      const operands = [x, w, dy];
      if (direction === 'forward') return pure((a, b) => tf.conv2d(a, b, stride, pad), operands);
      const both = (a: Foreign, b: Foreign): Foreign => tf.conv2d(a, b, stride, pad);
      // The gradient function knows which of the two is asked for.
      return direction === 'input'
        ? pure((a, b, d) => tf.grad((z: Foreign) => both(z, b))(a, d), operands)
        : pure((a, b, d) => tf.grad((z: Foreign) => both(a, z))(b, d), operands);
    },
    train({ n }) {
      const params: Foreign[] = [
        array(10, [3, 3, 3, 32], weightScale(27)),
        tf.zeros([32]),
        array(11, [3, 3, 32, 64], weightScale(288)),
        tf.zeros([64]),
        array(12, [4096, 128], weightScale(4096)),
        tf.zeros([128]),
        array(13, [128, 10], weightScale(128)),
        tf.zeros([10]),
      ].map((p: Foreign) => tf.variable(p));
      const velocity = params.map((p) => tf.variable(tf.zerosLike(p)));
      const x = array(0, [n, 32, 32, 3]);
      const y = tf.oneHot(tf.tensor1d(labels(1, n), 'int32'), 10);
      const loss = (): Foreign => {
        const [w1, b1, w2, b2, w3, b3, w4, b4] = params;
        const layer = (h: Foreign, w: Foreign, b: Foreign): Foreign =>
          tf.maxPool(tf.relu(tf.conv2d(h, w, 1, 'same').add(b)), 2, 2, 'valid');
        const h = layer(layer(x, w1, b1), w2, b2).reshape([n, 4096]);
        const logits = tf.matMul(tf.relu(tf.matMul(h, w3).add(b3)), w4).add(b4);
        return tf.losses.softmaxCrossEntropy(y, logits);
      };
      return {
        run: () =>
          tf.tidy(() => {
            const { value, grads } = tf.variableGrads(loss, params);
            params.forEach((p, i) => {
              velocity[i].assign(velocity[i].mul(0.9).add(grads[p.name]).add(p.mul(5e-4)));
              p.assign(p.sub(velocity[i].mul(0.01)));
            });
            return value;
          }),
        finish,
        values: (value) => value.data(),
        free: (value) => value.dispose(),
        dispose: () => tf.dispose([...params, ...velocity, x, y]),
      };
    },
  };
  return { name: `TensorFlow.js ${tf.version['tfjs-core']}`, cases };
}

await serve(start);
