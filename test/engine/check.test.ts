// checkGradients must pass what is right, on any device, and name what is wrong.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { primitives } from '../../engine/primitives/index.ts';
import type { Primitive } from '../../engine/primitives/types.ts';
import * as lt from '../../index.ts';
import { hasCpu } from '../native/support.ts';

const devices: ('reference' | 'cpu')[] = ['reference'];
if (hasCpu) devices.push('cpu');

const broken: [Primitive, Partial<Primitive>][] = [];
function breakRule(name: keyof typeof primitives, change: Partial<Primitive>): void {
  const p = primitives[name];
  broken.push([p, { ...p }]);
  Object.assign(p, change);
}
afterEach(() => {
  for (const [p, original] of broken.splice(0).reverse()) Object.assign(p, original);
});

describe.each(devices)('on %s', (device) => {
  beforeEach(() => lt.init({ device }));

  test('a CNN with max-pooling, captured tensors and integers passes at both orders', async () => {
    const [k1, k2, k3] = lt.random.split(lt.random.key(5), 3);
    const params = { w: lt.random.normal(k1, [3, 3, 2, 3]), d: lt.random.normal(k2, [12, 4]) };
    const x = lt.random.normal(k3, [2, 4, 4, 2]);
    const y = lt.tensor([1, 3], { dtype: 'int32' });
    const loss = (p: typeof params) => {
      const h = lt.maxPool2d(lt.tanh(lt.conv2d(x, p.w, { padding: 'same' })), { size: 2 });
      const z = lt.layerNorm(lt.add(h, lt.zerosLike(h)));
      return lt.crossEntropy(lt.matmul(lt.reshape(z, [2, -1]), p.d), y);
    };
    const report = await lt.checkGradients(loss, [params], { order: 2 });
    expect(report.ok).toBe(true);
    expect(report.worst).toBeLessThan(1e-6);
    expect(new Set(report.checks.map((c) => c.order))).toEqual(new Set([1, 2]));
    // The device and the arguments are as they were.
    expect(params.w.dtype).toBe('float32');
    expect((await loss(params).data()).length).toBe(1);
  });

  test('jit, vmap, checkpoint and several results pass', async () => {
    const f = lt.jit((a: lt.Tensor, b: lt.Tensor) => ({
      s: lt.vmap((t: lt.Tensor) => lt.sum(lt.mul(t, b)))(a),
      c: lt.checkpoint((t: lt.Tensor) => lt.exp(lt.sin(t)))(a),
      i: lt.argmax(a),
    }));
    const a = lt.random.normal(lt.random.key(1), [3, 2]);
    const report = await lt.checkGradients(f, [a, lt.tensor([0.5, 2])], { order: 2, key: lt.random.key(9) });
    expect(report.worst).toBeLessThan(1e-6);
  });

  test('a right customVjp passes without its forward mode', async () => {
    const w = lt.tensor([2, 3]);
    const scaled = lt.customVjp(
      function scaled(x: lt.Tensor) {
        return lt.mul(lt.sin(x), w);
      },
      {
        forward: (x: lt.Tensor) => [lt.mul(lt.sin(x), w), x],
        backward: (x: lt.Tensor, ct: lt.Tensor) => [lt.mul(lt.mul(ct, w), lt.cos(x))],
      },
    );
    const report = await lt.checkGradients((x: lt.Tensor) => lt.exp(scaled(x)), [lt.tensor([0.3, 0.7])], {
      order: 2,
    });
    expect(report.checks[0].skipped).toContain('scaled is a customVjp');
    expect(report.worst).toBeLessThan(1e-6);
  });
});

describe('names what is wrong', () => {
  beforeEach(() => lt.init({ device: 'reference', dtype: 'float64' }));
  const net = (x: lt.Tensor, w: lt.Tensor) => lt.sum(lt.sin(lt.tanh(lt.matmul(lt.exp(x), w))));
  const args = () => [lt.random.normal(lt.random.key(1), [2, 3]), lt.random.normal(lt.random.key(2), [3, 2])];
  const failure = async (
    f: (...xs: lt.Tensor[]) => unknown,
    xs: lt.Tensor[],
    order: 1 | 2 = 1,
  ): Promise<string> => {
    try {
      await lt.checkGradients(f, xs, { order });
    } catch (error) {
      expect(error).toBeInstanceOf(lt.LetheError);
      return (error as Error).message;
    }
    return 'nothing was wrong';
  };

  test('a jvp rule', async () => {
    const right = primitives.tanh.jvp as Exclude<Primitive['jvp'], 'constant'>;
    breakRule('tanh', {
      jvp: (p, t, q) => {
        const r = right(p, t, q);
        return { ...r, tangents: r.tangents.map((y) => y && lt.mul(y, 1.01)) };
      },
    });
    const message = await failure(net, args());
    expect(message).toMatch(/the jvp rule of tanh on float64\[2, 2\] is wrong, by \d\.\de-[23] of its size/);
  });
  test('a missing jvp rule', async () => {
    breakRule('sin', { jvp: 'constant' });
    expect(await failure(net, args())).toContain('the jvp rule of sin on float64[2, 2] is wrong, by 1.0e+0');
  });
  test('a transpose rule', async () => {
    const right = primitives.dot.transpose as Exclude<Primitive['transpose'], 'nonlinear'>;
    breakRule('dot', { transpose: (c, o, q) => right(c, o, q).map((y) => y && lt.mul(y, 2)) });
    expect(await failure(net, args())).toContain(
      'the reverse mode of dot on float64[2, 3], float64[3, 2] is wrong',
    );
  });
  test('a rule that is right at first order and wrong at second', async () => {
    const right = primitives.exp.jvp as Exclude<Primitive['jvp'], 'constant'>;
    breakRule('exp', {
      jvp: (p, t, q) =>
        right(
          p.map((x) => lt.stopGradient(x) as lt.Tensor),
          t,
          q,
        ),
    });
    expect((await lt.checkGradients(net, args())).ok).toBe(true);
    expect(await failure(net, args(), 2)).toContain('the second derivative of exp on float64[2, 3] is wrong');
  });
  test('a customVjp, by the name of its function', async () => {
    const clipped = lt.customVjp(
      function softClip(x: lt.Tensor) {
        return lt.tanh(x);
      },
      {
        forward: (x: lt.Tensor) => [lt.tanh(x), x],
        backward: (_: lt.Tensor, ct: lt.Tensor) => [ct],
      },
    );
    expect(await failure((x, w) => lt.sum(clipped(lt.matmul(x, w))), args())).toContain(
      'the backward rule of customVjp of softClip on float64[2, 2] is wrong',
    );
  });
  test('a kink, and a stopped gradient', async () => {
    const x = lt.tensor([1, 0, -1]);
    expect(await failure((t) => lt.sum(lt.relu(t)), [x])).toContain(
      'not differentiable at this point: relu on float64[3] has a kink',
    );
    expect(await failure((t) => lt.max(t), [lt.tensor([1, 1, 1])])).toContain('max on float64[3] has a kink');
    expect(await failure((t) => lt.sum(lt.mul(t, lt.stopGradient(t) as lt.Tensor)), [x])).toContain(
      'stopGradient',
    );
  });
  test('arguments it cannot check', async () => {
    expect(await failure((t) => t, [lt.tensor([1], { dtype: 'int32' })])).toBe(
      'checkGradients: no float tensor among the arguments',
    );
  });
});
