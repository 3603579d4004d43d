// The one place where text leaves for a terminal. Names in it come from files, arguments and results that others wrote,
// so nothing is sent that could steer the terminal.

import { plain } from '../unlearn/text.ts';

export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
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
