// From what networks say to shares of the classes: 0 or more, and 1 in all for each row.

/** Adds what one network says of each row: a part `voting` to its largest entry, the rest by softmax. */
export function addShares(
  logits: Float32Array,
  classes: number,
  weight: number,
  voting: number,
  shares: Float64Array,
): void {
  for (let row = 0; row < logits.length; row += classes) {
    const own = logits.subarray(row, row + classes);
    let top = 0;
    for (let k = 1; k < classes; k++) if (own[k] > own[top]) top = k;
    let sum = 0;
    for (const value of own) sum += Math.exp(value - own[top]);
    for (let k = 0; k < classes; k++)
      shares[row + k] += (weight * (1 - voting) * Math.exp(own[k] - own[top])) / sum;
    shares[row + top] += weight * voting;
  }
}

/** Softmax of the negative scores; a class without a network has a share of 0. */
export function sharesOf(scores: Float64Array, classes: number): Float32Array {
  const shares = new Float32Array(scores.length);
  for (let row = 0; row < scores.length; row += classes) {
    const own = scores.subarray(row, row + classes);
    const least = own.reduce((a, b) => Math.min(a, b));
    const parts = own.map((score) => Math.exp(least - score));
    const sum = parts.reduce((a, b) => a + b);
    parts.forEach((part, k) => {
      shares[row + k] = part / sum;
    });
  }
  return shares;
}
