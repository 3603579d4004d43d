// Text of others (names of files, keys, labels) made fit to be shown. Needs nothing of Node.

const COLOURS = '\\u001b\\[(?:[0-4]|7|2[2-47]|3[0-79]|9[0-7])?m';
// Control characters, line and paragraph separators, and the marks that turn the direction of text round.
const CONTROLS = '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u2028-\\u202e\\u2066-\\u2069]';
const LOOK = new RegExp(`(${COLOURS})|${CONTROLS}`, 'g');

/**
 * Text that a terminal shows as it is: what could move the cursor or hide text becomes an escape such as \u001b, and only
 * line breaks, tabs and plain colours pass. In JSON the escapes mean the same as what they replace.
 */
export function plain(text: string): string {
  return text.replace(
    LOOK,
    (found, colour) => colour ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A value in a few words on one line, as JSON where it is short; bounded, whatever it holds. */
export function show(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return depth > 0 ? String(value) : 'nothing';
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value === 'string') return plain(JSON.stringify(cut(value)));
  if (typeof value !== 'object') return String(value);
  const list = Array.isArray(value);
  const [open, close] = list ? '[]' : '{}';
  const items = list ? value : Object.entries(value);
  if (depth > 1 && items.length > 0) return `${open}...${close}`;
  const parts = items
    .slice(0, 20)
    .map((item) => (list ? show(item, depth + 1) : `${show(item[0])}:${show(item[1], depth + 1)}`));
  return `${open}${cut(parts.join(','), items.length > parts.length)}${close}`;
}

const cut = (text: string, more = false): string =>
  text.length > 60 ? `${text.slice(0, 57)}...` : more ? `${text}, ...` : text;

/** Words on lines of at most `width`, all but the first indented; a word that is longer by itself is cut. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(' ')) {
    const joined = line === '' || line === indent ? line + word : `${line} ${word}`;
    if (length(joined) <= width) {
      line = joined;
      continue;
    }
    if (line !== '' && line !== indent) lines.push(line);
    line = lines.length ? indent : '';
    for (let room = width - length(line); length(word) > room; room = width - length(line)) {
      lines.push(line + [...word].slice(0, room).join(''));
      word = [...word].slice(room).join('');
      line = indent;
    }
    line += word;
  }
  return line === '' ? lines : [...lines, line];
}

/** Characters of a text, as a person counts them. */
export const length = (text: string): number => [...text].length;

/** One line of a cause, without stack and without line breaks. Where it happened is for the caller to say. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  // Node ends the messages of the system with call and path: "ENOENT: no such file or directory, open '/x'".
  return printable(text.split('\n', 1)[0].replace(/^(E[A-Z0-9]+: [^,]+), .*$/, '$1'));
}

/** A name from outside made fit for one line of text: control characters as escapes, at most 200 characters. */
export function printable(text: string): string {
  const cut = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  // JSON.stringify escapes C0 controls and quotes; C1 controls and line separators are left to us.
  return JSON.stringify(cut)
    .slice(1, -1)
    .replace(/\\(["\\])/g, '$1')
    .replace(
      /[\u007f-\u009f\u2028-\u202f\u2066-\u2069]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

/** `1 picture`, `3 pictures`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
