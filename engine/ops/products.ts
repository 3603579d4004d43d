// Matrix products and Einstein summation, all in terms of one batched product.

import { isFloat, type Shape, showAval, sizeOf } from '../dtype.ts';
import { check, describe } from '../error.ts';
import { settle } from '../options.ts';
import * as prim from '../primitives/apply.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { broadcastShapes, expand, fresh, widest } from './common.ts';
import { mul } from './elementwise.ts';

/** Options of matmul. */
export interface MatmulOptions {
  /**
   * b's last two axes are [m, k]: the product with its transpose. Neither the product nor its derivatives then copy b.
   * Default false.
   */
  transposeB?: boolean;
}
/**
 * Matrix product [..., n, k] x [..., k, m] -> [..., n, m] as NumPy's matmul: a vector acts as a row on the left and as
 * a column on the right, leading axes broadcast. The result has the wider float type of the two (float32 for integers);
 * sums are accumulated in float32 or better.
 * @throws 'shape' where inner sizes differ or an operand is a scalar.
 */
export function matmul(a: Tensor, b: Tensor, options?: MatmulOptions): Tensor {
  expectTensors('matmul', a, b);
  const { transposeB } = settle('matmul', options, { transposeB: false });
  check(
    a.ndim > 0 && b.ndim > 0,
    'shape',
    () => `matmul: needs at least one axis each, got ${showAval(a)} and ${showAval(b)}`,
  );
  const [x, y] = promoteTypes(a, b);
  const p = x.ndim === 1 ? prim.reshape(x, [1, x.shape[0]]) : x;
  const column = transposeB ? [1, y.shape[0]] : [y.shape[0], 1];
  const q = y.ndim === 1 ? prim.reshape(y, column) : y;
  const [inner, columns] = transposeB ? [q.shape.at(-1), q.shape.at(-2)] : q.shape.slice(-2);
  check(
    p.shape.at(-1) === inner,
    'shape',
    () =>
      `matmul: ${showAval(a)} x ${showAval(b)}${transposeB ? ' (transposed)' : ''}: inner sizes ${p.shape.at(-1)} and ${inner} differ`,
  );
  let out: Tensor;
  if (q.ndim === 2 && p.ndim > 2) {
    // Many rows against one matrix are one larger product.
    const rows = sizeOf(p.shape.slice(0, -1));
    out = prim.reshape(prim.dot(prim.reshape(p, [rows, p.shape.at(-1)!]), q, false, transposeB), [
      ...p.shape.slice(0, -1),
      columns!,
    ]);
  } else {
    const batch = broadcastShapes('matmul', p.shape.slice(0, -2), q.shape.slice(0, -2));
    out = prim.dot(
      expand(p, [...batch, ...p.shape.slice(-2)]),
      expand(q, [...batch, ...q.shape.slice(-2)]),
      false,
      transposeB,
    );
  }
  if (x.ndim === 1) out = prim.reshape(out, out.shape.toSpliced(-2, 1));
  if (y.ndim === 1) out = prim.reshape(out, out.shape.slice(0, -1));
  return out;
}
function promoteTypes(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const wide = widest([a.dtype, b.dtype]);
  const dtype = isFloat(wide) ? wide : 'float32';
  return [prim.convert(a, dtype), prim.convert(b, dtype)];
}
/** matmul(a, b), and mul(a, b) where one of them is a scalar. For two vectors: the inner product. */
export const dot = (a: Tensor, b: Tensor): Tensor => {
  expectTensors('dot', a, b);
  return a.ndim === 0 || b.ndim === 0 ? mul(a, b) : matmul(a, b);
};

/**
 * Einstein summation of one or more operands: einsum('bij,bjk->bik', a, b). Letters that are not in the result are
 * summed; without '->' the result has the letters that appear once, in alphabetical order. Products have the type
 * matmul would give.
 * @throws 'value' for an equation that does not fit the operands or names a letter twice in one operand, 'shape' where
 * sizes of a letter differ.
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  check(
    typeof equation === 'string',
    'value',
    () => `einsum: the equation is ${describe(equation)}, expected text such as 'ij,jk->ik'`,
  );
  expectTensors('einsum', ...operands);
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  check(
    terms.length === operands.length,
    'value',
    () => `einsum: '${equation}' has ${terms.length} operands, got ${operands.length}`,
  );
  const sizes = new Map<string, number>();
  terms.forEach((t, i) => {
    check(
      /^[a-zA-Z]*$/.test(t) && t.length === operands[i].ndim,
      'value',
      () => `einsum: '${t}' does not name the axes of ${showAval(operands[i])}`,
    );
    check(
      new Set(t).size === t.length,
      'value',
      () => `einsum: a letter appears twice in '${t}'; take the diagonal first`,
    );
    [...t].forEach((l, d) => {
      const n = sizes.get(l) ?? operands[i].shape[d];
      check(
        n === operands[i].shape[d],
        'shape',
        () => `einsum: '${l}' is ${n} and ${operands[i].shape[d]} in '${equation}'`,
      );
      sizes.set(l, n);
    });
  });
  const all = terms.join('');
  const target =
    right ??
    [...new Set(all)]
      .filter((l) => all.split(l).length === 2)
      .sort()
      .join('');
  check(
    [...target].every((l) => sizes.has(l)) && new Set(target).size === target.length,
    'value',
    () => `einsum: '${target}' has a letter no operand has, or one twice`,
  );
  const sizeOfLetters = (ls: readonly string[]): number => sizeOf(ls.map((l) => sizes.get(l) as number));
  const sumOut = (x: Tensor, t: string, keptLetters: string): [Tensor, string] => {
    const gone = [...t].flatMap((l, i) => (keptLetters.includes(l) ? [] : [i]));
    return gone.length ? [prim.sum(x, gone), [...t].filter((l) => keptLetters.includes(l)).join('')] : [x, t];
  };
  const arrange = (x: Tensor, t: string, order: readonly string[], shape: Shape): Tensor =>
    prim.reshape(
      prim.transpose(
        x,
        order.map((l) => t.indexOf(l)),
      ),
      shape,
    );

  let [acc, t] = sumOut(operands[0], terms[0], terms.slice(1).join('') + target);
  for (let i = 1; i < operands.length; i++) {
    const later = terms.slice(i + 1).join('') + target;
    const [x, u] = sumOut(operands[i], terms[i], t + later);
    [acc, t] = sumOut(acc, t, u + later);
    const batch = [...t].filter((l) => u.includes(l) && later.includes(l));
    const inner = [...t].filter((l) => u.includes(l) && !later.includes(l));
    const rows = [...t].filter((l) => !u.includes(l));
    const columns = [...u].filter((l) => !t.includes(l));
    const [b, k, p, q] = [batch, inner, rows, columns].map(sizeOfLetters);
    const [A, B] = promoteTypes(
      arrange(acc, t, [...batch, ...rows, ...inner], [b, p, k]),
      arrange(x, u, [...batch, ...inner, ...columns], [b, k, q]),
    );
    const letters = [...batch, ...rows, ...columns];
    acc = prim.reshape(
      prim.dot(A, B),
      letters.map((l) => sizes.get(l) as number),
    );
    t = letters.join('');
  }
  [acc, t] = sumOut(acc, t, target);
  return fresh(
    prim.transpose(
      acc,
      [...target].map((l) => t.indexOf(l)),
    ),
    ...operands,
  );
}
