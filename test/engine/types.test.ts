// What the compiler knows of a transformed function. Checked by `npm run typecheck`; at run time these say nothing wrong.

import { describe, expectTypeOf, test } from 'vitest';
import * as lt from '../../index.ts';

type T = lt.Tensor;
interface Params {
  w: T;
  layers: { kernel: T; bias: T }[];
}
declare const params: Params;
declare const x: T;
const loss = (_p: Params, _x: T): T => x;
const square = (t: T): T => t.mul(t);
const withAux = (p: Params, t: T): [T, { state: string; t: T }] => [loss(p, t), { state: 'new', t }];

// Nothing below is to run: there is no device.
const typesOnly = (_: () => void): void => {};

describe('types reach the user', () => {
  test('grad and valueAndGrad', () => {
    typesOnly(() => {
      expectTypeOf(lt.grad(square)).toEqualTypeOf<(t: T) => T>();
      expectTypeOf(lt.grad(loss)(params, x)).toEqualTypeOf<Params>();
      expectTypeOf(lt.grad(loss, 1)(params, x)).toEqualTypeOf<T>();
      expectTypeOf(lt.grad(loss, [1, 0])(params, x)).toEqualTypeOf<[T, Params]>();
      expectTypeOf(lt.grad(loss, { argnums: [0] })(params, x)).toEqualTypeOf<[Params]>();
      expectTypeOf(lt.grad(withAux, { hasAux: true })(params, x)).toEqualTypeOf<
        [Params, { state: string; t: T }]
      >();
      expectTypeOf(lt.valueAndGrad(loss)(params, x)).toEqualTypeOf<[T, Params]>();
      expectTypeOf(lt.valueAndGrad(withAux, { hasAux: true, argnums: 1 })(params, x)).toEqualTypeOf<
        [[T, { state: string; t: T }], T]
      >();
      expectTypeOf(lt.grad(lt.grad(square))(x)).toEqualTypeOf<T>();
      // A parameter without annotation is any, so that a one-liner needs none.
      expectTypeOf(lt.grad((t) => t.pow(3).sum())(x)).toBeAny();
      // @ts-expect-error the gradient of a tensor is no string
      const wrong: string = lt.grad(square)(x);
      // @ts-expect-error a loss is a tensor
      lt.grad((_: T) => 'text');
      // @ts-expect-error too few arguments
      lt.grad(loss)(params);
      // @ts-expect-error hasAux needs [loss, aux]
      lt.grad(square, { hasAux: true });
      // @ts-expect-error no such option
      lt.grad(square, { argnum: 0 });
      return wrong;
    });
  });

  test('vjp, jvp and hvp', () => {
    typesOnly(() => {
      const [y, pull] = lt.vjp(withAux, params, x);
      expectTypeOf(y).toEqualTypeOf<[T, { state: string; t: T }]>();
      expectTypeOf(pull).returns.toEqualTypeOf<[Params, T]>();
      expectTypeOf(pull).parameter(0).toEqualTypeOf<[T, { state: string; t: T }]>();
      expectTypeOf(lt.jvp(square, [x], [x])).toEqualTypeOf<[T, T]>();
      expectTypeOf(lt.jvp(withAux, [params, x], [params, x], { hasAux: true })).toEqualTypeOf<
        [T, T, { state: string; t: T }]
      >();
      expectTypeOf(lt.jvp((_: T) => 4, [x], [x])).toEqualTypeOf<[T, T]>();
      expectTypeOf(lt.hvp((p: Params) => loss(p, x), [params], [params])).toEqualTypeOf<Params>();
      expectTypeOf(lt.hvp(loss, [params, x], [params, x])).toEqualTypeOf<[p: Params, x: T]>();
      // @ts-expect-error a tangent has the structure of its primal
      lt.jvp(loss, [params, x], [x, x]);
    });
  });

  test('vmap, jit, checkpoint and customVjp', () => {
    typesOnly(() => {
      expectTypeOf(lt.vmap(square)).toEqualTypeOf<(t: T) => T>();
      expectTypeOf(lt.vmap(lt.grad(loss), { inAxes: [null, 0] })(params, x)).toEqualTypeOf<Params>();
      const step = lt.jit((p: Params, t: T) => ({ p, loss: loss(p, t) }));
      expectTypeOf(step(params, x)).toEqualTypeOf<{ p: Params; loss: T }>();
      expectTypeOf(step.graph).parameters.toEqualTypeOf<[p: Params, t: T]>();
      expectTypeOf(lt.checkpoint(loss)).toEqualTypeOf<typeof loss>();
      const custom = lt.customVjp(loss, {
        forward: (p, t) => [loss(p, t), { p, t }],
        backward: ({ p, t }, ct) => {
          expectTypeOf(p).toEqualTypeOf<Params>();
          expectTypeOf(t).toEqualTypeOf<T>();
          expectTypeOf(ct).toEqualTypeOf<T>();
          return [null, ct];
        },
      });
      expectTypeOf(custom).toEqualTypeOf<typeof loss>();
      // @ts-expect-error no function
      lt.vmap(3);
      // @ts-expect-error one gradient for each argument
      lt.customVjp(square, { forward: (t) => [t, null], backward: (_, ct: T) => [ct, ct] });
    });
  });

  test('trees and optimisers', () => {
    typesOnly(() => {
      expectTypeOf(lt.tree.map((t) => t.shape.length, params)).toEqualTypeOf<{
        w: number;
        layers: { kernel: number; bias: number }[];
      }>();
      expectTypeOf(lt.tree.map((a: T, b: T) => a.add(b), params, params)).toMatchTypeOf<Params>();
      expectTypeOf(lt.stopGradient(params)).toEqualTypeOf<Params>();
      const { params: next } = lt.optim.sgd({ learningRate: 1 }).update(params, {} as never, params);
      expectTypeOf(next).toEqualTypeOf<Params>();
      expectTypeOf(lt.optim.clipByGlobalNorm(params, 1)).toEqualTypeOf<Params>();
      // @ts-expect-error the leaves are tensors
      lt.tree.map((s: string) => s, params);
    });
  });

  test('devices and scopes', () => {
    typesOnly(async () => {
      const device = await lt.open({ device: 'cpu', dtype: 'float32' });
      expectTypeOf(device).toEqualTypeOf<lt.Device>();
      expectTypeOf(await lt.init()).toEqualTypeOf<lt.Device>();
      expectTypeOf(lt.withDevice(device, () => params)).toEqualTypeOf<Params>();
      expectTypeOf(lt.withDevice(device, async () => params)).toEqualTypeOf<Promise<Params>>();
      expectTypeOf(lt.toDevice(params, device)).toEqualTypeOf<Promise<Params>>();
      expectTypeOf(lt.scope(() => params)).toEqualTypeOf<Params>();
      expectTypeOf(lt.scope(async () => params)).toEqualTypeOf<Promise<Params>>();
      // @ts-expect-error the name of a device is none
      lt.withDevice('cpu', () => params);
      // @ts-expect-error no such device
      await lt.open({ device: 'gpu' });
    });
  });
});
