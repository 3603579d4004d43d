// Convolution, pooling and resizing of images [N, H, W, C]: a loop over pixels and one over the window.

import type { Case, Table } from './case.ts';
import { at, build, floats, type Index, list, type Plain } from './plain.ts';

type Two = number | readonly [number, number];
interface Window {
  stride?: Two;
  padding?: 'same' | 'valid' | Two | readonly [readonly [number, number], readonly [number, number]];
  dilation?: Two;
  groups?: number;
  outputPadding?: Two;
  size?: Two;
}
const both = (v: Two | undefined, otherwise: number): readonly [number, number] =>
  v === undefined ? [otherwise, otherwise] : typeof v === 'number' ? [v, v] : v;

interface Side {
  readonly window: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}
/** One axis of a window on an image of `n` pixels. */
function side(o: Window, i: 0 | 1, n: number, window: number, stride: number): Side {
  const dilation = both(o.dilation, 1)[i];
  let [before, after] = [0, 0];
  const { padding = 'valid' } = o;
  if (padding === 'same') {
    const results = Math.ceil(n / stride);
    const missing = Math.max(0, (results - 1) * stride + (window - 1) * dilation + 1 - n);
    before = Math.floor(missing / 2);
    after = missing - before;
  } else if (padding !== 'valid') {
    const p = typeof padding === 'number' ? padding : padding[i];
    [before, after] = typeof p === 'number' ? [p, p] : p;
  }
  return { window, stride, dilation, before, after };
}
const places = (n: number, s: Side): number =>
  Math.floor((n + s.before + s.after - (s.window - 1) * s.dilation - 1) / s.stride) + 1;
const pixel = (s: Side, place: number, tap: number): number => place * s.stride - s.before + tap * s.dilation;

const convolved = (image: Index, kernel: Index, o: Window = {}): Case => ({
  x: [floats(image, 1), floats(kernel, 2)],
  call: (x, w) => (Object.keys(o).length === 0 ? [x, w] : [x, w, o]),
  want: (x, w) => {
    const [n, h, v] = image;
    const [kh, kw, perGroup, out] = kernel;
    const s = both(o.stride, 1);
    const [a, b] = [side(o, 0, h, kh, s[0]), side(o, 1, v, kw, s[1])];
    const groups = o.groups ?? 1;
    return build([n, places(h, a), places(v, b), out], ([m, i, j, c]) => {
      const group = Math.floor(c / (out / groups));
      let sum = 0;
      for (let y = 0; y < kh; y++)
        for (let z = 0; z < kw; z++)
          for (let k = 0; k < perGroup; k++) {
            const [r, q] = [pixel(a, i, y), pixel(b, j, z)];
            if (r >= 0 && r < h && q >= 0 && q < v)
              sum += at(x, [m, r, q, group * perGroup + k]) * at(w, [y, z, k, c]);
          }
      return sum;
    });
  },
});

/** Every pixel adds its multiple of the kernel to the result, of which padding then cuts off the rim. */
const transposed = (image: Index, kernel: Index, o: Window = {}): Case => ({
  x: [floats(image, 1), floats(kernel, 2)],
  call: (x, w) => (Object.keys(o).length === 0 ? [x, w] : [x, w, o]),
  want: (x, w) => {
    const [n, h, v, channels] = image;
    const [kh, kw, perGroup] = kernel;
    const [s, extra, groups] = [both(o.stride, 1), both(o.outputPadding, 0), o.groups ?? 1];
    const same = o.padding === 'same';
    const sides = [0, 1].map((i) => side(o, i as 0 | 1, same ? [h, v][i] * s[i] : 0, kernel[i], s[i]));
    const size = sides.map((p, i) =>
      same
        ? [h, v][i] * s[i]
        : ([h, v][i] - 1) * s[i] + p.dilation * (kernel[i] - 1) + 1 - p.before - p.after + extra[i],
    );
    const result = build([n, size[0], size[1], perGroup * groups], () => 0);
    const data = [...result.data];
    build([n, h, v, channels], ([m, i, j, c]) => {
      const group = Math.floor(c / (channels / groups));
      for (let y = 0; y < kh; y++)
        for (let z = 0; z < kw; z++)
          for (let k = 0; k < perGroup; k++) {
            const [r, q] = [pixel(sides[0], i, y), pixel(sides[1], j, z)];
            if (r < 0 || r >= size[0] || q < 0 || q >= size[1]) continue;
            const to = ((m * size[0] + r) * size[1] + q) * perGroup * groups + group * perGroup + k;
            data[to] += at(x, [m, i, j, c]) * at(w, [y, z, k, c]);
          }
      return 0;
    });
    return list(result.shape, data);
  },
});

/** f of the elements of each window that lie in the image. */
const pooled =
  (f: (v: number[]) => number) =>
  (x: Plain, o: Window): Case => ({
    x: [x],
    call: (t) => [t, o],
    want: (p) => {
      const [n, h, v, c] = p.shape;
      const size = both(o.size, 1);
      const s = o.stride === undefined ? size : both(o.stride, 1);
      const [a, b] = [side(o, 0, h, size[0], s[0]), side(o, 1, v, size[1], s[1])];
      return build([n, places(h, a), places(v, b), c], ([m, i, j, k]) => {
        const seen: number[] = [];
        for (let y = 0; y < size[0]; y++)
          for (let z = 0; z < size[1]; z++) {
            const [r, q] = [pixel(a, i, y), pixel(b, j, z)];
            if (r >= 0 && r < h && q >= 0 && q < v) seen.push(at(p, [m, r, q, k]));
          }
        return f(seen);
      });
    },
  });
const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
const maxima = pooled((v) => v.reduce((a, b) => (Number.isNaN(a) || b <= a ? a : b)));
const means = pooled(mean);

const resized = (shape: Index, size: readonly [number, number]): Case => ({
  x: [floats(shape, 1)],
  call: (x) => [x, size],
  want: (x) => {
    const [n, h, w, c] = shape;
    return build([n, ...size, c], ([m, i, j, k]) =>
      at(x, [m, Math.floor((i * h) / size[0]), Math.floor((j * w) / size[1]), k]),
    );
  },
});

const hole = list([1, 3, 3, 1], [1, 2, 3, 4, NaN, 6, -Infinity, 8, 9]);
const forms: [Index, Window][] = [
  [[2, 4, 6, 3], { size: 2 }],
  [[1, 5, 5, 2], { size: 3, stride: 2, padding: 1 }],
  [
    [1, 5, 4, 1],
    {
      size: [2, 3],
      stride: [1, 2],
      padding: [
        [0, 1],
        [2, 1],
      ],
    },
  ],
  [[1, 5, 5, 1], { size: 2, padding: 'same' }],
  [[0, 4, 4, 1], { size: 2 }],
  [[1, 1, 1, 1], { size: 1 }],
];

export const images: Table = {
  conv2d: [
    convolved([2, 5, 6, 3], [3, 3, 3, 4]),
    convolved([1, 7, 6, 2], [3, 2, 2, 3], { stride: [2, 1], padding: 'same' }),
    convolved([1, 7, 6, 2], [3, 2, 2, 3], { stride: 3, padding: 1 }),
    convolved([1, 7, 7, 4], [3, 3, 2, 6], {
      groups: 2,
      dilation: 2,
      padding: [
        [1, 2],
        [0, 3],
      ],
    }),
    convolved([1, 5, 5, 3], [3, 3, 1, 6], { groups: 3 }),
    convolved([1, 1, 1, 1], [1, 1, 1, 1]),
    convolved([0, 4, 4, 1], [3, 3, 1, 2]),
    convolved([1, 8, 8, 32], [3, 3, 32, 32], { padding: 'same' }),
  ],
  convTranspose2d: [
    transposed([2, 3, 4, 3], [3, 3, 2, 3]),
    transposed([1, 3, 3, 2], [3, 3, 4, 2], { stride: 2, padding: 1 }),
    transposed([1, 3, 3, 2], [3, 3, 4, 2], { stride: 2, padding: 1, outputPadding: 1 }),
    transposed([1, 3, 3, 2], [2, 2, 4, 2], { stride: 2, outputPadding: 1 }),
    transposed([1, 3, 3, 2], [2, 3, 1, 2], {
      stride: 3,
      outputPadding: [2, 0],
      padding: [
        [0, 1],
        [1, 0],
      ],
    }),
    transposed([1, 3, 3, 1], [2, 2, 1, 1], { dilation: 2, outputPadding: 1 }),
    transposed([1, 3, 4, 2], [3, 2, 1, 2], { dilation: 3, padding: 1, outputPadding: [2, 1] }),
    transposed([1, 3, 4, 2], [3, 3, 1, 2], { stride: 2, padding: 'same' }),
    transposed([1, 3, 4, 2], [1, 1, 1, 2], { stride: 3, padding: 'same' }),
    transposed([1, 3, 3, 4], [3, 3, 3, 4], { stride: 2, groups: 2 }),
    transposed([1, 1, 1, 1], [2, 2, 1, 1], { padding: 1 }),
    transposed([0, 3, 3, 2], [3, 3, 4, 2]),
  ],
  maxPool2d: [
    ...forms.map(([s, o]) => maxima(floats(s, 1, 'distinct'), o)),
    maxima(hole, { size: 2, stride: 1 }),
  ],
  avgPool2d: [...forms.map(([s, o]) => means(floats(s, 1), o)), means(hole, { size: 2, stride: 1 })],
  globalAvgPool: [
    [2, 3, 4, 5],
    [1, 1, 1, 1],
    [0, 2, 2, 3],
  ].map(
    (shape): Case => ({
      x: [floats(shape, 1)],
      want: (x) =>
        build([shape[0], shape[3]], ([n, c]) =>
          mean(build([shape[1], shape[2]], ([i, j]) => at(x, [n, i, j, c])).data),
        ),
    }),
  ),
  resizeNearest: [
    resized([2, 2, 3, 2], [4, 9]),
    resized([1, 3, 4, 2], [5, 3]),
    resized([1, 4, 4, 1], [2, 2]),
    resized([1, 1, 1, 1], [1, 1]),
  ],
};
