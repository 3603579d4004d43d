// Matrix products and Einstein sums: one loop for each index that is summed.

import type { Case, Table } from './case.ts';
import { at, build, common, floats, type Index, list, type Plain, wholes } from './plain.ts';

/** NumPy's rule: a vector is a row on the left and a column on the right, and its axis goes again. */
function product(a: Plain, b: Plain, transposeB: boolean): Plain {
  const x = a.shape.length === 1 ? list([1, ...a.shape], a.data) : a;
  const column = transposeB ? [1, ...b.shape] : [...b.shape, 1];
  const y = b.shape.length === 1 ? list(column, b.data) : b;
  const inner = x.shape.at(-1) as number;
  const columns = y.shape.at(transposeB ? -2 : -1) as number;
  const batch = common(x.shape.slice(0, -2), y.shape.slice(0, -2));
  const full = build([...batch, x.shape.at(-2) as number, columns], (i) => {
    const [lead, r, c] = [i.slice(0, -2), i.at(-2) as number, i.at(-1) as number];
    let sum = 0;
    for (let k = 0; k < inner; k++)
      sum += cell(x, lead, r, k) * (transposeB ? cell(y, lead, c, k) : cell(y, lead, k, c));
    return sum;
  });
  let shape = [...full.shape];
  if (a.shape.length === 1) shape = shape.toSpliced(-2, 1);
  if (b.shape.length === 1) shape = shape.slice(0, -1);
  return list(shape, full.data);
}
/** An element of a matrix among others; only the axes before the matrix broadcast. */
function cell(x: Plain, lead: Index, row: number, column: number): number {
  const own = x.shape.length - 2;
  const index = x.shape.slice(0, own).map((n, d) => (n === 1 ? 0 : lead[lead.length - own + d]));
  return at(x, [...index, row, column]);
}
const times = (a: Plain, b: Plain): Case => ({ x: [a, b], want: (x, y) => product(x, y, false) });
const timesTurned = (a: Plain, b: Plain): Case => ({
  x: [a, b],
  call: (x, y) => [x, y, { transposeB: true }],
  want: (x, y) => product(x, y, true),
});

/** Every assignment of the letters, one after the other. */
const einstein = (equation: string, result: string, ...operands: Plain[]): Case => ({
  x: operands,
  call: (...t) => [equation, ...t],
  want: (...xs) => {
    const terms = equation.replaceAll(' ', '').split('->')[0].split(',');
    const sizes = new Map<string, number>();
    terms.forEach((t, k) => {
      [...t].forEach((l, d) => {
        sizes.set(l, xs[k].shape[d]);
      });
    });
    const inner = [...sizes.keys()].filter((l) => !result.includes(l));
    const of = (letters: readonly string[]): number[] => letters.map((l) => sizes.get(l) as number);
    return build(of([...result]), (outside) => {
      let sum = 0;
      build(of(inner), (inside) => {
        const index = (l: string): number =>
          result.includes(l) ? outside[result.indexOf(l)] : inside[inner.indexOf(l)];
        sum += terms.reduce((p, t, k) => p * at(xs[k], [...t].map(index)), 1);
        return 0;
      });
      return sum;
    });
  },
});

export const products: Table = {
  matmul: [
    times(floats([2, 3], 1), floats([3, 4], 2)),
    times(floats([33, 65], 1), floats([65, 17], 2)),
    times(floats([3], 1), floats([3], 2)),
    times(floats([3], 1), floats([2, 3, 4], 2)),
    times(floats([2, 5, 3], 1), floats([3], 2)),
    times(floats([2, 5, 3], 1), floats([3, 4], 2)),
    times(floats([2, 1, 2, 3], 1), floats([4, 3, 2], 2)),
    times(floats([0, 3], 1), floats([3, 2], 2)),
    times(floats([2, 0], 1), floats([0, 3], 2)),
    times(floats([1, 1], 1), floats([1, 1], 2)),
    times(floats([2, 3], 1), wholes([3, 2], -4, 4)),
    times(list([1, 2], [NaN, 1]), list([2, 2], [1, 2, 3, Infinity])),
    timesTurned(floats([2, 3], 1), floats([4, 3], 2)),
    timesTurned(floats([2, 3], 1), floats([3], 2)),
    timesTurned(floats([2, 1, 4, 3], 1), floats([3, 5, 3], 2)),
  ],
  dot: [
    times(floats([3], 1), floats([3], 2)),
    times(floats([2, 3], 1), floats([3, 4], 2)),
    times(floats([2, 3], 1), floats([3], 2)),
    { x: [floats([], 1), floats([2, 3], 2)], want: (a, b) => build(b.shape, (i) => a.data[0] * at(b, i)) },
  ],
  einsum: [
    einstein('ij,jk->ik', 'ik', floats([2, 3], 1), floats([3, 4], 2)),
    einstein('ij,jk', 'ik', floats([2, 3], 1), floats([3, 4], 2)),
    einstein('bij,bkj->bik', 'bik', floats([2, 3, 4], 1), floats([2, 5, 4], 2)),
    einstein('i,j->ij', 'ij', floats([2], 1), floats([3], 2)),
    einstein('ij->ji', 'ji', floats([2, 3], 1)),
    einstein('ijk->j', 'j', floats([2, 3, 4], 1)),
    einstein('ij,ij->', '', floats([2, 3], 1), floats([2, 3], 2)),
    einstein('ab, bc, cd -> da', 'da', floats([2, 3], 1), floats([3, 4], 2), floats([4, 5], 3)),
    einstein('i,i->i', 'i', floats([0], 1), floats([0], 2)),
  ],
};
