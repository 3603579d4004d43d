// What a run looks like while it goes, on a terminal and elsewhere, with a clock of our own.

import { expect, it } from 'vitest';
import { Context } from '../../cli/context.ts';
import { bytes, duration, table, timeLeft } from '../../cli/format.ts';
import { Display, progressLine } from '../../cli/progress.ts';
import { Screen } from '../../cli/screen.ts';
import type { RunEvent } from '../../unlearn/run/log.ts';

function show(
  setup: { tty: boolean; columns?: number; env?: Record<string, string>; quiet?: boolean },
  events: [number, RunEvent][],
) {
  let text = '';
  let now = 0;
  const stream = { write: (t: string) => (text += t), isTTY: setup.tty, columns: setup.columns ?? 100 };
  const stderr = new Screen(stream);
  const world = { stdout: stderr, stderr, env: setup.env ?? {}, onInterrupt: () => () => {} };
  const display = new Display(new Context(world, { quiet: setup.quiet }), {
    now: () => now,
    day: () => new Date(now).toISOString().slice(11, 19),
  });
  for (const [at, event] of events) {
    now = at * 1000;
    display.show(event);
  }
  display.end();
  return text.replaceAll('\u001b', '␛').replaceAll('\r', '␍');
}

const step = (at: number, fraction: number, more = {}): [number, RunEvent] => [
  at,
  {
    type: 'progress',
    cell: 'seed-0-retrain',
    action: 'unlearn',
    progress: { phase: 'train', fraction, epoch: 1, epochs: 3, loss: 1.2345, rate: 812.4, ...more },
  },
];
const place = { cell: 'seed-0-retrain', index: 2, total: 4 };
const cell = (label: string, state: 'done' | 'todo', seconds: number) =>
  ({
    id: `seed-0-${label}`,
    label,
    state,
    record: null,
    estimate: { seconds, evaluation: 1, bytes: 0 },
  }) as never;
const cells = [
  cell('original', 'done', 0),
  cell('retrain', 'todo', 31),
  cell('finetune', 'todo', 61),
  cell('boundaryShrink', 'todo', 61),
];
const story: [number, RunEvent][] = [
  [0, { type: 'plan', cells }],
  [0, { type: 'skip', cell: 'seed-0-original', index: 1, total: 4 }],
  [0, { type: 'start', action: 'unlearn', ...place }],
  step(0.01, 0),
  step(0.05, 0.01),
  step(3, 0.1),
  step(9, 0.3),
  step(12, 0.4),
  step(20, 0.66, { eta: 11 }),
  step(21, 0, { phase: 'check', epoch: undefined, loss: undefined, rate: undefined }),
  [30, { type: 'note', level: 'warning', message: 'something to know' }],
  [31, { type: 'end', cell: 'seed-0-retrain', action: 'unlearn', seconds: 31 }],
];

it('elsewhere: dated lines, at most every ten seconds and when the work changes', () => {
  expect(show({ tty: false }, story)).toMatchInlineSnapshot(`
    "00:00:00 plan: 4 cells, 1 done already
    00:00:00 [1/4] seed-0-original: done already
    00:00:00 [2/4] seed-0-retrain: unlearn
    00:00:00 [2/4] seed-0-retrain  train  epoch 1/3  0%  loss 1.23  812/s  about 3 min left
    00:00:12 [2/4] seed-0-retrain  train  epoch 1/3  7%  loss 1.23  812/s  about 2 min left
    00:00:21 [2/4] seed-0-retrain  check  13%  about 2 min left
    00:00:30 warning: something to know
    00:00:31 seed-0-retrain: unlearn took 31.0 s
    "
  `);
});

it('on a terminal: one line redrawn, lasting lines above it', () => {
  expect(show({ tty: true }, story)).toMatchInlineSnapshot(`
    "plan: 4 cells, 1 done already
    [1/4] seed-0-original: done already
    ␍␛[2m[2/4] seed-0-retrain  unlearn  ░░░░░░░░░░░░  0%  about 3 min left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain  train  epoch 1/3  ░░░░░░░░░░░░  0%  loss 1.23  812/s  about 3 min left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain  train  epoch 1/3  ▎░░░░░░░░░░░  1%  loss 1.23  812/s  about 2 min left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain  train  epoch 1/3  ▊░░░░░░░░░░░  5%  loss 1.23  812/s  about 2 min left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain  train  epoch 1/3  █░░░░░░░░░░░  7%  loss 1.23  812/s  about 2 min left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain  train  epoch 1/3  █▌░░░░░░░░░░  12%  loss 1.23  812/s  about 2 min left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain  check  █▋░░░░░░░░░░  13%  about 2 min left␛[0m␛[K␍␛[Kwarning: something to know
    seed-0-retrain: unlearn took 31.0 s
    "
  `);
});

/** The lines that were drawn in place. */
const drawn = (columns: number) =>
  show({ tty: true, columns, env: { NO_COLOR: '1' } }, story)
    .split('␍')
    .slice(1)
    .map((line) => line.split('␛[K')[0])
    .filter((line) => line !== '');

it.each([40, 80, 120])('fits %i columns, and always says how long the run takes', (columns) => {
  for (const line of drawn(columns)) {
    expect(line.length).toBeLessThan(columns);
    expect(line).toMatch(/left$/);
  }
  expect(drawn(columns)).toMatchSnapshot();
});

it('lasting lines wrap between words', () => {
  const metrics = { ua: 100, ra: 97.42, ta: 86.22, mia: 100 } as never;
  const end: RunEvent = {
    type: 'end',
    cell: 'seed-0-randomLabels',
    action: 'evaluate',
    seconds: 4.3,
    metrics,
  };
  expect(show({ tty: true, columns: 80 }, [[0, end]])).toBe(
    'seed-0-randomLabels: evaluate took 4.3 s (ua 100.00, ra 97.42, ta 86.22, mia\n  100.00)\n',
  );
});

it('leaves out the less important first, and never cuts the time that is left', () => {
  const facts = {
    count: '[7/21]',
    cell: 'seed-0-boundaryExpanding',
    phase: 'neighbour search',
    epoch: 'epoch 3/10',
    done: 0.28,
    loss: 'loss 0.217',
    rate: '812/s',
    left: 250,
  };
  let before = 0;
  for (let width = 19; width < 160; width++) {
    const line = progressLine(facts, width);
    expect(line.length).toBeLessThanOrEqual(width);
    expect(line).toMatch(width < 60 ? /~4 min left$/ : /about 4 min left$/);
    const parts = ['812/s', 'neighbour', 'loss', '███', 'epoch', '28%'].filter((part) =>
      line.includes(part),
    ).length;
    expect(parts, `at ${width}`).toBeGreaterThanOrEqual(width === 60 ? 0 : before);
    before = parts;
  }
  expect(before).toBe(6);
});

it('a dumb terminal gets plain lines, --quiet none at all', () => {
  expect(show({ tty: true, env: { TERM: 'dumb' } }, story)).toBe(show({ tty: false }, story));
  expect(show({ tty: true, quiet: true }, story)).toBe('');
});

it('writes numbers as people read them', () => {
  expect([0, 0.34, 9.99, 59.6, 75, 3599.9, 7322, Number.NaN].map(duration)).toEqual([
    '0.0s',
    '0.3s',
    '10s',
    '1m00s',
    '1m15s',
    '1h00m',
    '2h02m',
    '?',
  ]);
  expect(
    [3, 8, 27, 44, 89, 96, 250, 5399, 5400, 9000, 8.9 * 3600, 30 * 3600].map((s) => timeLeft(s)),
  ).toEqual([
    'a few seconds left',
    'about 10 s left',
    'about 25 s left',
    'about 40 s left',
    'about 90 s left',
    'about 2 min left',
    'about 4 min left',
    'about 90 min left',
    'about 1 h 30 min left',
    'about 2 h 30 min left',
    'about 9 h left',
    'about 30 h left',
  ]);
  expect([3, 250].map((s) => timeLeft(s, true))).toEqual(['~5 s left', '~4 min left']);
  expect([0, 999, 1023, 1024, 1536, 2 ** 20 * 250, 2 ** 34].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '250 MiB',
    '16.0 GiB',
  ]);
  expect(
    table(
      ['a', 'size'],
      [
        ['x', '1'],
        ['long', '22'],
      ],
    ),
  ).toBe('a     size\n----  ----\nx        1\nlong    22');
  const keys = table(
    ['time', 'key'],
    [
      ['~1h05m', '4592d9bc'],
      ['-', '12ab'],
      ['9.1s', '1e12'],
    ],
  );
  expect(keys).toBe('  time  key\n------  --------\n~1h05m  4592d9bc\n     -  12ab\n  9.1s  1e12');
});
