// What a run looks like while it goes, on a terminal and elsewhere, with a clock of our own.

import { expect, it } from 'vitest';
import { Context } from '../../cli/context.ts';
import { bytes, duration, table } from '../../cli/format.ts';
import { Display } from '../../cli/progress.ts';
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
const story: [number, RunEvent][] = [
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
    "00:00:00 [1/4] seed-0-original: done already
    00:00:00 [2/4] seed-0-retrain: unlearn
    00:00:00 [2/4] seed-0-retrain train  epoch 1/3  0%  loss 1.23  812/s
    00:00:12 [2/4] seed-0-retrain train  epoch 1/3  40%  loss 1.23  812/s  18s left
    00:00:21 [2/4] seed-0-retrain check  0%
    00:00:30 warning: something to know
    00:00:31 seed-0-retrain: unlearn took 31.0 s
    "
  `);
});

it('on a terminal: one line redrawn, lasting lines above it', () => {
  expect(show({ tty: true }, story)).toMatchInlineSnapshot(`
    "[1/4] seed-0-original: done already
    ␍␛[2m[2/4] seed-0-retrain unlearn␛[0m␛[K␍␛[2m[2/4] seed-0-retrain train  epoch 1/3  ░░░░░░░░░░░░  0%  loss 1.23  812/s␛[0m␛[K␍␛[2m[2/4] seed-0-retrain train  epoch 1/3  █▎░░░░░░░░░░  10%  loss 1.23  812/s  27s left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain train  epoch 1/3  ███▋░░░░░░░░  30%  loss 1.23  812/s  21s left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain train  epoch 1/3  ████▊░░░░░░░  40%  loss 1.23  812/s  18s left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain train  epoch 1/3  ███████▉░░░░  66%  loss 1.23  812/s  11s left␛[0m␛[K␍␛[2m[2/4] seed-0-retrain check  ░░░░░░░░░░░░  0%␛[0m␛[K␍␛[Kwarning: something to know
    seed-0-retrain: unlearn took 31.0 s
    "
  `);
});

it('fits the width, and colours only where they are wanted', () => {
  const narrow = show({ tty: true, columns: 40, env: { NO_COLOR: '1' } }, story);
  expect(narrow).not.toContain('␛[2m');
  for (const line of narrow.split(/[␍\n]/)) expect(line.replace(/␛\[\w/g, '').length).toBeLessThanOrEqual(39);
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
});
