// How far the answers of two models to the same samples are apart, sample by sample.

import { type Outputs, softmaxRow } from './outputs.ts';

/**
 * Jensen-Shannon divergence of the two softmaxes of each row, in nats, [n], 0 to ln 2.
 * @throws RangeError where the two do not have the same number of rows.
 */
export function jensenShannonRows(a: Outputs, b: Outputs, K: number): Float64Array {
  const n = a.labels.length;
  if (b.labels.length !== n)
    throw new RangeError(
      `jensenShannonRows: expected rows of the same samples, got ${n} and ${b.labels.length}`,
    );
  return Float64Array.from({ length: n }, (_, i) => {
    const [p, q] = [softmaxRow(a.logits, K, i), softmaxRow(b.logits, K, i)];
    let sum = 0;
    for (let k = 0; k < K; k++) {
      const middle = (p[k] + q[k]) / 2;
      if (p[k] > 0) sum += (p[k] * Math.log(p[k] / middle)) / 2;
      if (q[k] > 0) sum += (q[k] * Math.log(q[k] / middle)) / 2;
    }
    return Math.max(0, sum);
  });
}
