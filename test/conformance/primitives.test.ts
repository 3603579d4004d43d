// Every primitive, on every sample of its record, under every transformation, on every backend: the values must be
// those that the reference backend computes in float64. That the reference itself has the right derivatives is shown
// by differences, and the right batches by loops.

import { describe, expect, test } from 'vitest';
import { isFloat } from '../../engine/dtype.ts';
import { traceGraph } from '../../engine/graph/graph.ts';
import * as lt from '../../engine/index.ts';
import { primitives } from '../../engine/primitives/index.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { bind } from '../../engine/trace.ts';
import {
  BATCH,
  batchedOperands,
  call,
  casesFor,
  differentiable,
  gradient,
  mapped,
  problemWith,
  subsets,
} from './cases.ts';
import {
  agree,
  describeBackends,
  elements,
  isSoftware,
  make,
  on,
  operandsOf,
  operandType,
  oracle,
  paramsFor,
  read,
  type Values,
} from './support.ts';

describeBackends(
  (target) => {
    for (const [name, p] of Object.entries(primitives))
      test(name, async ({ skip }) => {
        skip(!target.backend().supports(target.float), `no ${target.float}`);
        // Shaders in float16 differ from those in float32 by types alone.
        const isThin = target.float === 'float16' && isSoftware(target);
        for (const c of casesFor(name, p)) {
          if (isThin && !/, (value|gradient)$/.test(c.what)) continue;
          expect(await problemWith(c, target.backend(), target.float)).toBeNull();
        }
      });
  },
  { half: true },
);

describe('the oracle', () => {
  /** <a, b> over the float leaves. */
  const inner = (a: readonly Values[], b: readonly Values[]): number => {
    let total = 0;
    a.forEach((x, k) => {
      if (isFloat(x.dtype)) for (let i = 0; i < x.data.length; i++) total += x.data[i] * b[k].data[i];
    });
    return total;
  };

  for (const [name, p] of Object.entries(primitives)) {
    test(`${name}: batches are loops`, () =>
      on(oracle, 'float64', async () => {
        for (const s of p.samples)
          for (const batched of subsets(s.operands.length)) {
            const f = call(p, paramsFor(s.params, 'float64'));
            const together = await read(mapped(f, batched)(batchedOperands(s, batched, 'float64')));
            for (let b = 0; b < BATCH; b++) {
              const xs = s.operands.map((o, i) =>
                make(
                  elements(o, 1 + 31 * i + (batched[i] ? 1000 * b : 0)),
                  o.shape,
                  operandType(o, 'float64'),
                ),
              );
              const one = together.map((y) => {
                const n = y.data.length / BATCH;
                return { ...y, shape: y.shape.slice(1), data: y.data.slice(b * n, (b + 1) * n) };
              });
              agree(one, await read(f(xs)), 1e-13, `${name} vmap ${batched} row ${b}`);
            }
          }
      }));

    if (p.jvp === 'constant') continue;
    test(`${name}: derivatives are limits of differences`, () =>
      on(oracle, 'float64', async () => {
        for (const s of p.samples) {
          const wrt = differentiable(p, s);
          if (wrt.length === 0) continue;
          const f = call(p, paramsFor(s.params, 'float64'));
          const second = gradient(f, 'float64', wrt);
          for (const [order, g] of [
            ['first', f],
            ['second', second],
          ] as const) {
            const xs = operandsOf(s, 'float64');
            const vs = xs.map((x, i) => elements({ shape: x.shape }, 500 + i));
            const moved = (h: number) =>
              Promise.all(
                xs.map(async (x, i) => {
                  if (!wrt.includes(i)) return x;
                  const data = (await x.data()).map((v, k) => v + h * vs[i][k]);
                  return make(data, x.shape, x.dtype);
                }),
              );
            const h = 1e-5;
            const [up, down] = [await read(g(await moved(h))), await read(g(await moved(-h)))];
            const tangents = xs.map((x, i) => make(vs[i], x.shape, 'float64'));
            const pushed = await read(lt.jvp((...a: Tensor[]) => g(a), xs, tangents)[1]);
            pushed.forEach((t, k) => {
              if (!isFloat(t.dtype)) return;
              // Infinities that stay where they are have no difference.
              const difference = t.data.map((_, i) =>
                up[k].data[i] === down[k].data[i] ? 0 : (up[k].data[i] - down[k].data[i]) / (2 * h),
              );
              agree([t], [{ ...t, data: difference }], 2e-8, `${name} ${order} order`);
            });
            const [ys, pull] = lt.vjp((...a: Tensor[]) => g(a), ...xs);
            const cts = (ys as Tensor[]).map((y, k) =>
              make(elements({ shape: y.shape }, 700 + k), y.shape, y.dtype),
            );
            const pulled = (pull(cts) as (Tensor | null)[]).map(
              (t, i) => t ?? make(xs[i].size ? new Float64Array(xs[i].size) : [], xs[i].shape, 'float64'),
            );
            const [left, right] = [
              inner(await read(cts), pushed),
              inner(await read(pulled), await read(tangents)),
            ];
            expect(Math.abs(left - right), `${name} ${order} order: <ct, J v> and <J^T ct, v>`).toBeLessThan(
              1e-10 * Math.max(1, Math.abs(left)),
            );
          }
        }
      }));
  }
});

test('every record has samples, and its shape rule tells what its reference computes', () =>
  on(oracle, 'float64', async () => {
    for (const [name, p] of Object.entries(primitives)) {
      expect(p.name).toBe(name);
      expect(p.samples.length, name).toBeGreaterThan(0);
      for (const s of p.samples) {
        const xs = operandsOf(s, 'float64');
        const params = paramsFor(s.params, 'float64');
        const { graph } = traceGraph(
          xs,
          (args) => bind(p, args, params),
          (ys) => ys,
        );
        const ys = await read(bind(p, xs, params));
        expect(ys.map((y) => [y.shape, y.dtype, y.data.length])).toEqual(
          graph.outputs.map((v) => [v.shape, v.dtype, v.shape.reduce((a, b) => a * b, 1)]),
        );
      }
    }
  }));
