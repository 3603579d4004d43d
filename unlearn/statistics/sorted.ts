// Counting in sorted numbers.

/** How many of the numbers, ascending, are below this one; with `inclusive`, up to it. */
export function countBelow(sorted: Float64Array, value: number, inclusive = false): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (inclusive ? sorted[middle] <= value : sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
