import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf, stridesOf } from '../../engine/dtype.ts';
import type { Instruction, Loop } from '../../engine/program.ts';
import { createCpuBackend } from '../../native/backend.ts';
import {
  describeCpu,
  distance,
  execute,
  float,
  forEachIndex,
  int,
  program,
  random,
  randomFloats,
  randomInts,
  rootProgram,
  runRoot,
  sameBits,
  slot,
  step,
  type Value,
  withThreads,
} from './support.ts';

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as DType });
const i32 = (...shape: number[]) => ({ shape, dtype: 'int32' as DType });
const offset = (index: readonly number[], shape: Shape) =>
  stridesOf(shape).reduce((s, stride, d) => s + stride * index[d], 0);

describeCpu('movement', () => {
  it('pads with interior gaps', async () => {
    const x = randomFloats([3, 4, 5], 1);
    const [low, high, interior] = [
      [1, 0, 2],
      [0, 3, 1],
      [2, 0, 1],
    ];
    const shape = x.shape.map((n, d) => low[d] + high[d] + (n - 1) * (interior[d] + 1) + 1);
    const want = new Float32Array(sizeOf(shape));
    forEachIndex(x.shape, (index, flat) => {
      want[
        offset(
          index.map((i, d) => low[d] + i * (interior[d] + 1)),
          shape,
        )
      ] = x.data[flat];
    });
    const [got] = await runRoot(cpu, 'pad', { low, high, interior }, [x], [f32(...shape)]);
    expect(got).toEqual(want);
  });

  it('concatenates along any axis', async () => {
    for (const axis of [0, 1, 2]) {
      const parts = [2, 0, 5].map((n, k) =>
        randomFloats(
          [3, 4, 6].map((m, d) => (d === axis ? n : m)),
          k + 1,
        ),
      );
      const shape = [3, 4, 6].map((m, d) => (d === axis ? 7 : m));
      const want = new Float32Array(sizeOf(shape));
      let begin = 0;
      for (const p of parts) {
        forEachIndex(p.shape, (index, flat) => {
          want[
            offset(
              index.map((i, d) => (d === axis ? i + begin : i)),
              shape,
            )
          ] = p.data[flat];
        });
        begin += p.shape[axis];
      }
      const [got] = await runRoot(cpu, 'concat', { axis }, parts, [f32(...shape)]);
      expect(got).toEqual(want);
    }
  });

  it('counts', async () => {
    for (const dtype of ['float32', 'int32', 'uint32'] as DType[]) {
      const [got] = await runRoot(
        cpu,
        'iota',
        { shape: [3, 4, 2], axis: 1, dtype },
        [],
        [{ shape: [3, 4, 2], dtype }],
      );
      forEachIndex([3, 4, 2], ([, j], flat) => expect(got[flat]).toBe(j));
    }
  });
});

describeCpu('reductions and scans', () => {
  const shapes: [Shape, number[]][] = [
    [[1000, 64], [0]],
    [[64, 1000], [1]],
    [[5, 300, 7], [1]],
    [
      [2, 3000, 3],
      [0, 2],
    ],
    [[100000], [0]],
    [
      [6, 5, 4, 3],
      [1, 3],
    ],
    [
      [4, 250, 12, 4],
      [1, 3],
    ],
    [
      [2, 90, 3, 40],
      [1, 3],
    ],
  ];
  for (const [shape, axes] of shapes) {
    const kept = shape.filter((_, d) => !axes.includes(d));
    it(`sum, max, min and moments of [${shape}] over ${axes}`, async () => {
      const x = randomFloats(shape, 3, 5);
      for (let i = 0; i < x.data.length; i++) x.data[i] += 100;
      const n = sizeOf(shape) / sizeOf(kept);
      const strides = stridesOf(shape.map((m, d) => (axes.includes(d) ? 1 : m)));
      for (const d of axes) strides[d] = 0;
      const to = (index: number[]) => index.reduce((a, i, d) => a + i * strides[d], 0);
      const sum = new Float64Array(sizeOf(kept));
      const m2 = new Float64Array(sizeOf(kept));
      const max = new Float64Array(sizeOf(kept)).fill(-Infinity);
      const min = new Float64Array(sizeOf(kept)).fill(Infinity);
      forEachIndex(shape, (index, flat) => {
        const k = to(index);
        sum[k] += x.data[flat];
        max[k] = Math.max(max[k], x.data[flat]);
        min[k] = Math.min(min[k], x.data[flat]);
      });
      const mean = sum.map((v) => v / n);
      forEachIndex(shape, (index, flat) => {
        m2[to(index)] += (x.data[flat] - mean[to(index)]) ** 2 / n;
      });
      expect(distance((await runRoot(cpu, 'sum', { axes }, [x], [f32(...kept)]))[0], sum)).toBeLessThan(3e-7);
      expect(distance((await runRoot(cpu, 'max', { axes }, [x], [f32(...kept)]))[0], max)).toBe(0);
      expect(distance((await runRoot(cpu, 'min', { axes }, [x], [f32(...kept)]))[0], min)).toBe(0);
      const moments = (b: Backend) => runRoot(b, 'moments', { axes }, [x], [f32(...kept), f32(...kept)]);
      const [m, v] = await moments(cpu);
      expect(distance(m, mean)).toBeLessThan(3e-7);
      expect(distance(v, m2)).toBeLessThan(2e-6);
      for (const threads of [1, 3]) expect(await withThreads(threads, moments)).toEqual([m, v]);
    });
  }

  it('reduces integers whose last axes are short', async () => {
    const data = Array.from({ length: 2 * 5 * 3 * 2 }, (_, i) => ((i * 7) % 23) - 11);
    const x = int([2, 5, 3, 2], data);
    for (const [op, joined] of [
      ['sum', (a: number, b: number) => a + b],
      ['max', Math.max],
      ['min', Math.min],
    ] as const) {
      const want: number[] = [];
      forEachIndex([2, 5, 3, 2], ([i, , j], flat) => {
        const at = i * 3 + j;
        want[at] = want[at] === undefined ? data[flat] : joined(want[at], data[flat]);
      });
      const [got] = await runRoot(cpu, op, { axes: [1, 3] }, [x], [i32(2, 3)]);
      expect([...got]).toEqual(want);
    }
  });

  it('lets NaN win everywhere', async () => {
    const x = randomFloats([70, 50], 1);
    x.data[33 * 50 + 7] = NaN;
    for (const op of ['max', 'min', 'sum'] as const) {
      const [rows] = await runRoot(cpu, op, { axes: [1] }, [x], [f32(70)]);
      const [columns] = await runRoot(cpu, op, { axes: [0] }, [x], [f32(50)]);
      expect([...rows].flatMap((v, i) => (Number.isNaN(v) ? [i] : []))).toEqual([33]);
      expect([...columns].flatMap((v, i) => (Number.isNaN(v) ? [i] : []))).toEqual([7]);
    }
  });

  it('sums integers exactly and wraps', async () => {
    const x = randomInts([1000, 3], 1, -(2 ** 31), 2 ** 31);
    const [got] = await runRoot(cpu, 'sum', { axes: [0] }, [x], [i32(3)]);
    const want = [0, 0, 0];
    for (let i = 0; i < x.data.length; i++) want[i % 3] = (want[i % 3] + x.data[i]) | 0;
    expect([...got]).toEqual(want);
    const [high] = await runRoot(cpu, 'max', { axes: [0, 1] }, [x], [i32()]);
    expect(high[0]).toBe(Array.from(x.data).reduce((a, b) => Math.max(a, b)));
  });

  it('sums ten million numbers to 1e-6', async () => {
    const x = randomFloats([10_000_000], 5);
    for (let i = 0; i < x.data.length; i++) x.data[i] += 3;
    const [got] = await runRoot(cpu, 'sum', { axes: [0] }, [x], [f32()]);
    const want = Array.from(x.data).reduce((a, b) => a + b, 0);
    expect(Math.abs(got[0] / want - 1)).toBeLessThan(1e-6);
  });

  it('finds the first extreme, NaN before all', async () => {
    for (const axis of [0, 1, 2]) {
      const x = randomInts([6, 70, 9], axis + 1, 0, 5);
      const y = float(x.shape, x.data);
      y.data[100] = NaN;
      y.data[101] = NaN;
      const shape = x.shape.filter((_, d) => d !== axis);
      for (const v of [x, y]) {
        for (const op of ['argmax', 'argmin'] as const) {
          const [got] = await runRoot(cpu, op, { axis }, [v], [i32(...shape)]);
          forEachIndex(shape, (index, flat) => {
            const full = [...index.slice(0, axis), 0, ...index.slice(axis)];
            let best = 0;
            const value = (k: number) => {
              full[axis] = k;
              return v.data[offset(full, x.shape)];
            };
            for (let k = 1; k < x.shape[axis]; k++) {
              if (Number.isNaN(value(best))) break;
              if (
                Number.isNaN(value(k)) ||
                (op === 'argmax' ? value(k) > value(best) : value(k) < value(best))
              )
                best = k;
            }
            expect(got[flat]).toBe(best);
          });
        }
      }
    }
  });

  it('runs sums along an axis, both ways', async () => {
    for (const axis of [0, 1, 2]) {
      for (const reverse of [false, true]) {
        const x = randomFloats([4, 50, 6], 2);
        const want = new Float64Array(x.data.length);
        forEachIndex(x.shape, (index, flat) => {
          for (let k = 0; k < x.shape[axis]; k++) {
            if (reverse ? k < index[axis] : k > index[axis]) continue;
            want[flat] +=
              x.data[
                offset(
                  index.map((i, d) => (d === axis ? k : i)),
                  x.shape,
                )
              ];
          }
        });
        const [got] = await runRoot(cpu, 'cumsum', { axis, reverse }, [x], [f32(...x.shape)]);
        expect(distance(got, want)).toBeLessThan(1e-6);
      }
    }
  });

  it('sorts stably, NaN last, short and long rows', async () => {
    for (const n of [1, 17, 3000]) {
      const x = randomInts([5, n], n, -6, 6);
      const y = float(x.shape, x.data);
      if (n > 1) y.data.set([NaN, -0, 0, Infinity, -Infinity], 3);
      const [values, indices] = await runRoot(cpu, 'sort', {}, [y], [f32(5, n), i32(5, n)]);
      for (let r = 0; r < 5; r++) {
        const row = Array.from({ length: n }, (_, i) => ({ v: y.data[r * n + i], i }));
        const rank = (v: number) => (Number.isNaN(v) ? 1 : 0);
        row.sort(
          (a, b) =>
            rank(a.v) - rank(b.v) || (rank(a.v) ? 0 : a.v < b.v ? -1 : a.v > b.v ? 1 : 0) || a.i - b.i,
        );
        expect([...indices.subarray(r * n, (r + 1) * n)]).toEqual(row.map((e) => e.i));
        expect([...values.subarray(r * n, (r + 1) * n)]).toEqual(row.map((e) => e.v));
      }
    }
  });
});

describeCpu('indexing', () => {
  const x = randomFloats([5, 9, 7], 1);
  for (const axis of [0, 1, 2]) {
    const indices = randomInts([4, 3], axis + 1, -2, x.shape[axis] + 2);
    const shape = [...x.shape.slice(0, axis), 4, 3, ...x.shape.slice(axis + 1)];
    it(`gathers and scatters along axis ${axis}`, async () => {
      const [got] = await runRoot(cpu, 'gather', { axis }, [x, indices], [f32(...shape)]);
      const updates = randomFloats(shape, 9);
      const want = new Float32Array(x.data.length);
      forEachIndex(shape, (index, flat) => {
        const k = indices.data[index[axis] * 3 + index[axis + 1]];
        const source = offset([...index.slice(0, axis), k, ...index.slice(axis + 2)], x.shape);
        const inside = k >= 0 && k < x.shape[axis];
        expect(got[flat]).toBe(inside ? x.data[source] : NaN);
        if (inside) want[source] += updates.data[flat];
      });
      const params = { axis, size: x.shape[axis] };
      const [scattered] = await runRoot(cpu, 'scatter', params, [updates, indices], [f32(...x.shape)]);
      expect(scattered).toEqual(want);
    });
    it(`gathers and scatters element by element along axis ${axis}`, async () => {
      const along = x.shape.map((n, d) => (d === axis ? 6 : n));
      const at = randomInts(along, axis + 5, -2, x.shape[axis] + 2);
      const [got] = await runRoot(cpu, 'gatherAlong', { axis }, [x, at], [f32(...along)]);
      const updates = randomFloats(along, 11);
      const want = new Float32Array(x.data.length);
      forEachIndex(along, (index, flat) => {
        const k = at.data[flat];
        const source = offset(
          index.map((i, d) => (d === axis ? k : i)),
          x.shape,
        );
        const inside = k >= 0 && k < x.shape[axis];
        expect(got[flat]).toBe(inside ? x.data[source] : NaN);
        if (inside) want[source] += updates.data[flat];
      });
      const params = { axis, size: x.shape[axis] };
      const [scattered] = await runRoot(cpu, 'scatterAlong', params, [updates, at], [f32(...x.shape)]);
      expect(scattered).toEqual(want);
    });
  }

  it('scatters large updates with the same bits for any number of threads', async () => {
    const updates = randomFloats([4000, 96], 1);
    const at = randomInts([4000], 2, 0, 50);
    const p = rootProgram('scatter', { axis: 0, size: 50 }, [updates, at], [f32(50, 96)]);
    const [first] = await execute(cpu, p, [updates, at]);
    for (const n of [1, 3])
      expect(await withThreads(n, (b) => execute(b, p, [updates, at]))).toEqual([first]);
  });
});

describeCpu('products', () => {
  it('multiplies with either operand transposed', async () => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const [b, m, n, k] = [2, 13, 21, 17];
        const a = randomFloats(transposeA ? [b, k, m] : [b, m, k], 1);
        const c = randomFloats(transposeB ? [b, n, k] : [b, k, n], 2);
        const want = new Float64Array(b * m * n);
        forEachIndex([b, m, n], ([q, i, j], flat) => {
          for (let l = 0; l < k; l++)
            want[flat] +=
              a.data[offset(transposeA ? [q, l, i] : [q, i, l], a.shape)] *
              c.data[offset(transposeB ? [q, j, l] : [q, l, j], c.shape)];
        });
        const [got] = await runRoot(cpu, 'dot', { transposeA, transposeB }, [a, c], [f32(b, m, n)]);
        expect(distance(got, want)).toBeLessThan(1e-5);
      }
    }
  });

  const convolution = {
    stride: [2, 1] as const,
    padding: [
      [1, 0],
      [2, 1],
    ] as const,
    dilation: [1, 2] as const,
    groups: 2,
  };
  const [B, N, H, W, C, KH, KW, O] = [2, 3, 7, 6, 4, 3, 2, 6];
  const OH = Math.floor((H + 1 - 2 - 1) / 2) + 1;
  const OW = W + 3 - 2;
  const shapes = { x: [B, N, H, W, C], w: [B, KH, KW, C / 2, O], y: [B, N, OH, OW, O] };
  const taps = (f: (x: number, w: number, y: number) => void) =>
    forEachIndex([B, N, OH, OW, KH, KW, C / 2, O], ([b, n, oh, ow, kh, kw, c, o]) => {
      const h = oh * 2 - 1 + kh;
      const w = ow - 2 + kw * 2;
      if (h < 0 || h >= H || w < 0 || w >= W) return;
      const g = Math.floor(o / (O / 2));
      f(
        offset([b, n, h, w, g * (C / 2) + c], shapes.x),
        offset([b, kh, kw, c, o], shapes.w),
        offset([b, n, oh, ow, o], shapes.y),
      );
    });
  const x = randomFloats(shapes.x, 1);
  const w = randomFloats(shapes.w, 2);
  const dy = randomFloats(shapes.y, 3);
  const wanted = (kind: string): Float64Array => {
    const size = sizeOf(kind === 'conv' ? shapes.y : kind === 'convGradInput' ? shapes.x : shapes.w);
    const out = new Float64Array(size);
    taps((i, j, k) => {
      if (kind === 'conv') out[k] += x.data[i] * w.data[j];
      else if (kind === 'convGradInput') out[i] += dy.data[k] * w.data[j];
      else out[j] += x.data[i] * dy.data[k];
    });
    return out;
  };
  const kinds = [
    ['conv', [x, w], shapes.y],
    ['convGradInput', [dy, w], shapes.x],
    ['convGradWeight', [x, dy], shapes.w],
  ] as const;
  for (const [root, operands, shape] of kinds) {
    const params = { ...convolution, inputSize: [H, W], kernelSize: [KH, KW] } as const;
    it(`${root} with stride, padding, dilation and groups`, async () => {
      const [got] = await runRoot(cpu, root, params, operands, [f32(...shape)]);
      expect(distance(got, wanted(root))).toBeLessThan(1e-5);
    });

    // relu(scale[c] * (operand - 1 + 1) ...) on load for every operand, and a residual with relu on store.
    it(`${root} with prologues on both operands and an epilogue that keeps the raw result or not`, async () => {
      const prologue = (slotIndex: number, v: Value): Loop => ({
        shape: v.shape,
        inputs: [{ slot: slotIndex, dtype: 'float32', strides: stridesOf(v.shape), offset: 0 }],
        steps: [step('full', [], 'float32', 0.5), step('mul', [0, 1])],
        stores: [],
        reductions: [],
      });
      const residual = randomFloats(shape, 7);
      const bias = randomFloats([shape[4]], 8);
      const halves = operands.map((o) => float(o.shape, o.data));
      const raw = wanted(root);
      for (const keep of [true, false]) {
        for (const aliased of [false, true]) {
          const instruction: Instruction = {
            kind: 'op',
            op: root,
            params,
            inputs: halves.map((o) => ({ slot: -1, shape: o.shape, dtype: o.dtype })),
            outputs: [{ slot: keep ? 4 : -1, shape, dtype: 'float32' }],
            prologues: halves.map((o, i) => prologue(i, o)),
            epilogue: {
              shape,
              inputs: [
                { slot: 2, dtype: 'float32', strides: stridesOf(shape), offset: 0 },
                { slot: 3, dtype: 'float32', strides: [0, 0, 0, 0, 1], offset: 0 },
              ],
              steps: [step('add', [2, 1]), step('add', [3, 0]), step('relu', [4])],
              stores: [{ value: 5, slot: keep ? 5 : 4 }],
              reductions: [],
            },
          };
          const outputs = keep ? [f32(...shape), f32(...shape)] : [f32(...shape)];
          const p = program({
            slots: [
              ...[...halves, residual, bias].map((v, i) => slot('input', v, i)),
              ...outputs.map((o, i) => slot('output', o, i)),
            ],
            instructions: [instruction],
            donations: aliased ? [[outputs.length - 1, 2]] : [],
          });
          const got = await execute(cpu, p, [...halves, residual, bias]);
          const want = raw.map((v, i) => Math.max(0, v / 4 + bias.data[i % shape[4]] + residual.data[i]));
          expect(distance(got[got.length - 1], want)).toBeLessThan(1e-5);
          if (keep)
            expect(
              distance(
                got[0],
                raw.map((v) => v / 4),
              ),
            ).toBeLessThan(1e-5);
        }
      }
    });
  }

  it('dot with prologues and an epilogue', async () => {
    const [m, n, k] = [70, 50, 30];
    const a = randomFloats([m, k], 1);
    const b = randomFloats([k, n], 2);
    const bias = randomFloats([n], 3);
    const p = program({
      slots: [slot('input', a, 0), slot('input', b, 1), slot('input', bias, 2), slot('output', f32(m, n), 0)],
      instructions: [
        {
          kind: 'op',
          op: 'dot',
          params: { transposeA: false, transposeB: false },
          inputs: [
            { slot: -1, shape: [m, k], dtype: 'float32' },
            { slot: 1, shape: [k, n], dtype: 'float32' },
          ],
          outputs: [{ slot: -1, shape: [m, n], dtype: 'float32' }],
          prologues: [
            {
              shape: [m, k],
              inputs: [{ slot: 0, dtype: 'float32', strides: [k, 1], offset: 0 }],
              steps: [step('relu', [0])],
              stores: [],
              reductions: [],
            },
            null,
          ],
          epilogue: {
            shape: [m, n],
            inputs: [{ slot: 2, dtype: 'float32', strides: [0, 1], offset: 0 }],
            steps: [step('add', [1, 0])],
            stores: [{ value: 2, slot: 3 }],
            reductions: [],
          },
        },
      ],
    });
    const [got] = await execute(cpu, p, [a, b, bias]);
    forEachIndex([m, n], ([i, j], flat) => {
      let want = bias.data[j];
      for (let l = 0; l < k; l++) want += Math.max(0, a.data[i * k + l]) * b.data[l * n + j];
      expect(Math.abs(got[flat] - want)).toBeLessThan(1e-4);
    });
  });
});

describeCpu('pooling', () => {
  const params = {
    size: [3, 2] as const,
    stride: [2, 2] as const,
    padding: [
      [1, 1],
      [0, 1],
    ] as const,
  };
  const [N, H, W, C] = [2, 7, 6, 20];
  const [OH, OW] = [Math.floor((H + 2 - 3) / 2) + 1, Math.floor((W + 1 - 2) / 2) + 1];
  const x = randomInts([N, H, W, C], 1, -5, 5);
  const image = float(x.shape, x.data);
  image.data[123] = NaN;
  image.data[124] = -Infinity;

  it('takes maxima with positions', async () => {
    const [values, at] = await runRoot(
      cpu,
      'maxPool',
      params,
      [image],
      [f32(N, OH, OW, C), i32(N, OH, OW, C)],
    );
    forEachIndex([N, OH, OW, C], ([n, oh, ow, c], flat) => {
      let best = NaN;
      let where = -1;
      for (let h = Math.max(0, oh * 2 - 1); h < Math.min(H, oh * 2 + 2); h++)
        for (let w = ow * 2; w < Math.min(W, ow * 2 + 2); w++) {
          const v = image.data[offset([n, h, w, c], image.shape)];
          if (where < 0 || (!Number.isNaN(best) && (Number.isNaN(v) || v > best)))
            [best, where] = [v, h * W + w];
        }
      expect([values[flat], at[flat]]).toEqual([best, where]);
    });
  });

  it('sums windows, and spreads them back', async () => {
    const dy = randomFloats([N, OH, OW, C], 2);
    const sums = new Float64Array(sizeOf(dy.shape));
    const spread = new Float64Array(image.data.length);
    image.data[123] = 1;
    image.data[124] = 2;
    forEachIndex([N, OH, OW, C, 3, 2], ([n, oh, ow, c, kh, kw]) => {
      const [h, w] = [oh * 2 - 1 + kh, ow * 2 + kw];
      if (h < 0 || h >= H || w >= W) return;
      const [big, small] = [offset([n, h, w, c], image.shape), offset([n, oh, ow, c], dy.shape)];
      sums[small] += image.data[big];
      spread[big] += dy.data[small];
    });
    expect(distance((await runRoot(cpu, 'sumPool', params, [image], [dy]))[0], sums)).toBeLessThan(1e-6);
    const back = { ...params, inputSize: [H, W] };
    expect(distance((await runRoot(cpu, 'sumPoolTranspose', back, [dy], [image]))[0], spread)).toBeLessThan(
      1e-6,
    );
  });
});

describeCpu('determinism', () => {
  it('gives the same bits with 1, 2 and 3 threads on large operands', async () => {
    const next = random(3);
    const x = float(
      [64, 40, 100],
      Array.from({ length: 256000 }, () => next() - 0.5),
    );
    const cases = [
      rootProgram('sum', { axes: [0, 2] }, [x], [f32(40)]),
      rootProgram('sum', { axes: [0, 1, 2] }, [x], [f32()]),
      rootProgram('moments', { axes: [0, 1] }, [x], [f32(100), f32(100)]),
      rootProgram('cumsum', { axis: 1, reverse: false }, [x], [f32(64, 40, 100)]),
      rootProgram('dot', { transposeA: true, transposeB: false }, [x, x], [f32(64, 100, 100)]),
    ];
    for (const p of cases) {
      const one = await withThreads(1, (b) => execute(b, p, p.inputs === 2 ? [x, x] : [x]));
      for (const n of [2, 3]) {
        const other = await withThreads(n, (b) => execute(b, p, p.inputs === 2 ? [x, x] : [x]));
        expect(sameBits(other, one)).toBe(true);
      }
    }
  });
});
