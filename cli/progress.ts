// Shows a run while it goes: one line redrawn in place on a terminal, dated lines elsewhere (at every change of work,
// else at most every ten seconds). It only draws; what happens is decided in unlearn/run.ts.

import { lineOf, type RunEvent } from '../unlearn/run/log.ts';
import { wrap } from '../unlearn/text.ts';
import type { Progress } from '../unlearn/types.ts';
import type { Context } from './context.ts';
import { Forecast } from './forecast.ts';
import { timeLeft } from './format.ts';

const QUIET_MS = 10_000;
const FRAME_MS = 100;

interface Clock {
  /** Milliseconds, for distances. */
  readonly now: () => number;
  /** The time of day as text, for dated lines. */
  readonly day: () => string;
}

const systemClock: Clock = {
  now: () => performance.now(),
  day: () => new Date().toISOString().slice(11, 19),
};

export class Display {
  readonly #forecast = new Forecast();
  #place = { count: '', cell: '' };
  #phase = '';
  #last = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(
    readonly context: Context,
    readonly clock: Clock = systemClock,
  ) {}

  /** Takes one event; hand it to run() as onEvent. */
  readonly show = (event: RunEvent): void => {
    this.#forecast.take(event, this.clock.now() / 1000);
    if (event.type === 'progress') this.#progress(event.progress);
    const text = lineOf(event);
    if (event.type === 'start') {
      this.#place = { count: `[${event.index}/${event.total}]`, cell: event.cell };
      this.#phase = '';
      this.#last = Number.NEGATIVE_INFINITY;
      // On a terminal the live line says it.
      if (this.context.live) this.#draw({ phase: event.action });
    }
    if (text !== null && !(event.type === 'start' && this.context.live)) this.#line(text);
  };

  /** Leaves the terminal with the cursor on an empty line. */
  end(): void {
    if (this.#drawn) this.context.world.stderr.redraw('');
    this.#drawn = false;
  }

  #progress(p: Progress): void {
    const now = this.clock.now();
    if (p.phase !== this.#phase) {
      this.#phase = p.phase;
      if (!this.context.live) this.#last = Number.NEGATIVE_INFINITY;
    }
    if (now - this.#last < (this.context.live ? FRAME_MS : QUIET_MS)) return;
    this.#last = now;
    if (this.context.live) this.#draw(p);
    else this.#line(progressLine(this.#facts(p), Number.POSITIVE_INFINITY));
  }

  #facts({ phase, epoch, epochs, loss, rate }: Partial<Progress>): Facts {
    const now = this.clock.now() / 1000;
    return {
      ...this.#place,
      phase,
      epoch: epoch && `epoch ${epoch}${epochs ? `/${epochs}` : ''}`,
      done: this.#forecast.done(now),
      loss: loss === undefined ? undefined : `loss ${loss.toPrecision(3)}`,
      rate: rate && `${Math.round(rate)}/s`,
      left: this.#forecast.left(now),
    };
  }

  /** Without the last column: some terminals wrap a line that fills it. */
  get #width(): number {
    return Math.max(20, this.context.world.stderr.columns || 80) - 1;
  }

  #draw(p: Partial<Progress>): void {
    const line = progressLine(this.#facts(p), this.#width);
    this.context.world.stderr.redraw(this.context.paint('dim', line));
    this.#drawn = true;
  }

  #line(text: string): void {
    if (this.context.live) {
      this.end();
      for (const line of wrap(text, this.#width, '  ')) this.context.say(line);
    } else {
      this.context.say(`${this.clock.day()} ${text}`);
    }
  }
}

interface Facts {
  /** `[2/21]`. */
  readonly count: string;
  readonly cell: string;
  readonly phase?: string;
  readonly epoch?: string | number;
  /** Share of the run, 0..1. */
  readonly done: number;
  readonly loss?: string;
  readonly rate?: string | number;
  /** Seconds. */
  readonly left?: number;
}

/** What a line that is too narrow does without, first to last. How long it still takes is always there. */
const DISPENSABLE = ['rate', 'phase', 'loss', 'bar', 'epoch', 'percent'] as const;
const BAR = 12;
/** Below this the time left is written shorter. */
const NARROW = 60;
/** A name cut shorter than this says nothing. */
const MIN_NAME = 8;

/** Progress in one line of at most `width` characters, without a bar where there is no terminal (an infinite width). */
export function progressLine(facts: Facts, width: number): string {
  const left = facts.left === undefined ? '' : timeLeft(facts.left, width < NARROW);
  const parts: Record<string, string> = {
    phase: facts.cell.endsWith(`-${facts.phase}`) ? '' : (facts.phase ?? ''),
    epoch: String(facts.epoch ?? ''),
    bar: Number.isFinite(width) ? bar(facts.done) : '',
    percent: `${Math.floor(100 * facts.done)}%`,
    loss: String(facts.loss ?? ''),
    rate: String(facts.rate ?? ''),
    left,
  };
  const line = (name: string) =>
    [[facts.count, name].filter(Boolean).join(' '), ...Object.values(parts)].filter(Boolean).join('  ');
  for (const part of DISPENSABLE) if (line(facts.cell).length > width) parts[part] = '';
  const room = width - line('').length - 1;
  if (room >= facts.cell.length) return line(facts.cell);
  const whole = room >= MIN_NAME ? line(`${facts.cell.slice(0, room - 1)}…`) : line('');
  return whole.length <= width ? whole : left.slice(0, width);
}

/** Filled in eighths. */
function bar(fraction: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * 8 * BAR);
  const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
  return ('█'.repeat(eighths >> 3) + part).padEnd(BAR, '░');
}
