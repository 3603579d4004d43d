// "Did you mean": the known word that was probably meant by one that is not known. Nothing else.

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; letter case counts as half an edit. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const x = a[i - 1];
      const y = b[j - 1];
      const replace = x === y ? 0 : x.toLowerCase() === y.toLowerCase() ? 0.5 : 1;
      let best = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + replace);
      if (i > 1 && j > 1 && x === b[j - 2] && a[i - 2] === y) best = Math.min(best, rows[i - 2][j - 2] + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** Shortest beginning, or part, of a known word that is taken for it. */
const MIN_PART = 3;

/**
 * The known word that `word` most probably stands for: the same but for case and hyphens, or begun and not finished
 * (`resnet`), or a part (`gpu`), or mistyped. Null where a guess would be worth nothing.
 */
export function nearest(word: string, known: readonly string[]): string | null {
  const simple = (s: string) => s.replace(/[-_ ]/g, '').toLowerCase();
  const short = word.slice(0, 64);
  const same = known.find((k) => simple(k) === simple(short));
  if (same) return same;
  const part = simple(short);
  const long = part.length >= MIN_PART;
  const whole =
    long && (known.find((k) => simple(k).startsWith(part)) ?? known.find((k) => simple(k).includes(part)));
  if (whole) return whole;
  // Each letter more or less is an edit, so most of a long list need no closer look.
  const limit = (k: string) => Math.max(1, Math.floor(Math.min(short.length, k.length) / 3) + 0.5);
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const k of known) {
    if (Math.abs(k.length - short.length) > limit(k)) continue;
    const edits = editDistance(short, k);
    if (edits < least && edits <= limit(k)) [best, least] = [k, edits];
  }
  return best;
}

/** `; did you mean "x"?` or `; known: a, b, c`. Empty when nothing is known. */
export function hint(word: string, known: readonly string[], guess = nearest(word, known)): string {
  if (guess !== null) return `; did you mean "${guess}"?`;
  return known.length > 0 ? `; known: ${known.join(', ')}` : '';
}
