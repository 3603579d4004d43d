// A world for the command line to live in during tests: streams that remember, a folder of its own, toy parts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lethe } from '../../cli/lethe.ts';
import type { Parts } from '../../unlearn/run/parts.ts';
import { type ToyOptions, toyParts } from '../unlearn/run/toy.ts';

export const recipeText = `name: toy
dataset: { name: glyphs }
forget: { class: 1 }
model: { name: lenet }
train: { epochs: 3 }
methods:
  - name: finetune
    options: { epochs: 2 }
  - name: boundaryShrink
checkpointSeconds: 0
`;

export interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class TestWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'lethe-cli-'));
  interrupt: () => void = () => {};

  constructor(
    readonly env: Record<string, string> = {},
    readonly terminal?: { columns: number },
  ) {
    writeFileSync(this.path('toy.yaml'), recipeText);
  }

  path = (name: string) => join(this.folder, name);

  /** Runs one command line with toy parts, or some others; the folder's name is written as DIR in what it says. */
  async run(argv: string[], toy: ToyOptions & { parts?: Partial<Parts> } = {}): Promise<Answer> {
    const said = { out: '', err: '' };
    const stream = (key: 'out' | 'err') => ({
      write: (text: string) => {
        said[key] += text;
      },
      isTTY: this.terminal !== undefined,
      columns: this.terminal?.columns ?? 100,
    });
    const code = await lethe(
      argv.map((word) => word.replaceAll('DIR', this.folder)),
      {
        stdout: stream('out'),
        stderr: stream('err'),
        env: this.env,
        onInterrupt: (listener) => {
          this.interrupt = listener;
          return () => {};
        },
        parts: { ...toyParts(toy), ...toy.parts },
      },
    );
    const clean = (text: string) => text.replaceAll(this.folder, 'DIR');
    return { code, out: clean(said.out), err: clean(said.err) };
  }

  close = () => rmSync(this.folder, { recursive: true, force: true });
}
