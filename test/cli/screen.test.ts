// Nothing that comes from a file, an argument or a result can steer the terminal.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Screen } from '../../cli/screen.ts';
import { plain } from '../../unlearn/text.ts';
import { TestWorld } from './world.ts';

const HOSTILE = '\u001b[2J\rX\u009b31m\u202e\u0007';
const SHOWN = '\\u001b[2J\\u000dX\\u009b31m\\u202e\\u0007';
// Everything a terminal might obey, but line breaks, and colours: these are wanted where there is a terminal.
const obeyed = (text: string) =>
  text
    .replaceAll('\u001b', '␛')
    .replace(/␛\[([0-2]|3[0-7])m/g, '')
    .match(/[^\P{Cc}\n]|␛/u);

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld({}, { columns: 100 });
});
afterEach(() => world.close());

it('shows control characters as escapes, and lets line breaks, tabs and colours pass', () => {
  expect(plain(HOSTILE)).toBe(SHOWN);
  expect(plain('a\tb\n\u001b[1mbold\u001b[0m \u001b[31;5mno\u001b[8mhidden Ä 张 ✓')).toBe(
    'a\tb\n\u001b[1mbold\u001b[0m \\u001b[31;5mno\\u001b[8mhidden Ä 张 ✓',
  );
  expect(JSON.parse(plain(JSON.stringify(HOSTILE)))).toBe(HOSTILE);
});

it('data that does not go to a terminal is left as it is', () => {
  const written: string[] = [];
  const stream = (isTTY: boolean) => ({ write: (text: string) => written.push(text), isTTY });
  new Screen(stream(false), true).write(HOSTILE);
  new Screen(stream(true), true).write(HOSTILE);
  new Screen(stream(false)).write(HOSTILE);
  new Screen(stream(true)).redraw('one\nline');
  expect(written).toEqual([HOSTILE, SHOWN, SHOWN, '\rone line\u001b[K']);
});

describe('the command line', () => {
  it.each([
    ['a key of a recipe', ['run', 'DIR/hostile.yaml']],
    ['an override', ['run', 'DIR/toy.yaml', '--set', `${HOSTILE}=1`]],
    ['a path', ['run', `DIR/${HOSTILE}.yaml`]],
    ['a command', [HOSTILE]],
    ['an option', ['run', 'DIR/toy.yaml', `--${HOSTILE}`]],
    ['a choice', ['report', 'DIR', '--format', HOSTILE]],
    ['a data set', ['datasets', 'check', HOSTILE]],
  ])('%s', async (_, argv) => {
    writeFileSync(world.path('hostile.yaml'), readFileSync(world.path('toy.yaml')));
    appendFileSync(world.path('hostile.yaml'), '"\\e[2J\\rX\\x9b31m\\u202e\\a": 1\n');
    const { code, out, err } = await world.run(argv);
    expect(err).toContain('\\u001b[2J');
    expect(obeyed(err)).toBeNull();
    expect(out).toBe('');
    expect(code).toBe(2);
  });

  it('a file to write, in the progress line and in the answer', async () => {
    const out = 'DIR/\u001b[2J.safetensors';
    const { code, ...said } = await world.run(['train', 'DIR/toy.yaml', '--out', out]);
    expect(code).toBe(0);
    expect(said.out).toContain('\\u001b[2J.safetensors');
    expect(obeyed(said.err.replaceAll('\r', '').replaceAll('\u001b[K', ''))).toBeNull();
    expect(obeyed(said.out)).toBeNull();
  });
});
