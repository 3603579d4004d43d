// Numbers and tables as people read them. Plain text only.

/** 75 -> `1m15s`, 0.31 -> `0.3s`, 7300 -> `2h02m`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const s = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  return `${Math.floor(s / 3600)}h${two(Math.floor((s % 3600) / 60))}m`;
}

/** How much longer, as nobody knows to the second: `a few seconds left`, `about 4 min left`, or short `~4 min left`. */
export function timeLeft(seconds: number, short = false): string {
  const about = short ? '~' : 'about ';
  if (seconds < 8) return short ? `${about}5 s left` : 'a few seconds left';
  if (seconds < 30) return `${about}${5 * Math.round(seconds / 5)} s left`;
  if (seconds < 95) return `${about}${10 * Math.round(seconds / 10)} s left`;
  if (seconds < 5400) return `${about}${Math.round(seconds / 60)} min left`;
  const hours = seconds / 3600;
  if (hours >= 9.5) return `${about}${Math.round(hours)} h left`;
  const quarters = Math.round(4 * hours);
  const minutes = 15 * (quarters % 4);
  return `${about}${Math.floor(quarters / 4)} h${minutes > 0 ? ` ${minutes} min` : ''} left`;
}

/** 1536 -> `1.5 KiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = count;
  for (; value >= 1023.5 && unit < units.length - 1; unit++) value /= 1024;
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `12`, `~1.0 MiB`, `4m26s`, `-`; not `4592d9bc`. */
const NUMBER = /^(-|[-~]?[\d.]+(h\d\dm|m\d\ds| ?[A-Za-z%/]*))?$/;

/** Rows under a head, columns as wide as their widest cell; cells that look like numbers go to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const width = head.map((_, c) => Math.max(...all.map((row) => (row[c] ?? '').length)));
  const right = head.map((_, c) => rows.length > 0 && rows.every((row) => NUMBER.test(row[c] ?? '')));
  const line = (row: readonly string[]) =>
    row
      .map((cell, c) => (right[c] ? cell.padStart(width[c]) : cell.padEnd(width[c])))
      .join('  ')
      .trimEnd();
  return [line(head), width.map((w) => '-'.repeat(w)).join('  '), ...rows.map(line)].join('\n');
}
