// Where text leaves for a terminal. Names come from files, arguments and results that others wrote, so whatever could
// move the cursor or hide text is written as an escape such as \u001b; only line breaks, tabs and plain colours pass.

export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const COLOURS = '\\u001b\\[(?:[0-4]|7|2[2-47]|3[0-79]|9[0-7])?m';
// Control characters, line and paragraph separators, and the marks that turn the direction of text round.
const CONTROLS = '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u2028-\\u202e\\u2066-\\u2069]';
const LOOK = new RegExp(`(${COLOURS})|${CONTROLS}`, 'g');

/** Text that a terminal shows as it is. In JSON the escapes mean the same as what they replace. */
export function plain(text: string): string {
  return text.replace(
    LOOK,
    (found, colour) => colour ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A stream that shows text plainly, and on which one line can be drawn over. */
export class Screen implements Stream {
  /** @param data a stream for data: bytes pass as they are unless it is a terminal. */
  constructor(
    readonly stream: Stream,
    readonly data = false,
  ) {}

  get isTTY(): boolean {
    return this.stream.isTTY === true;
  }

  /** Characters in a line; undefined where nobody knows. */
  get columns(): number | undefined {
    return this.stream.columns;
  }

  write(text: string): void {
    this.stream.write(this.data && !this.isTTY ? text : plain(text));
  }

  /** Puts `line` in the place of the line the cursor is on, and leaves the cursor on it. */
  redraw(line: string): void {
    this.stream.write(`\r${plain(line.replace(/[\n\t]/g, ' '))}\u001b[K`);
  }
}
