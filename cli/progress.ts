// Shows a run while it goes: one line redrawn in place on a terminal, dated lines elsewhere (at every change of work,
// else at most every ten seconds). It only draws; what happens is decided in unlearn/run.ts.

import { lineOf, type RunEvent } from '../unlearn/run/log.ts';
import type { Progress } from '../unlearn/types.ts';
import type { Context } from './context.ts';
import { duration } from './format.ts';

const QUIET_MS = 10_000;
const FRAME_MS = 100;

export interface Clock {
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
  #place = '';
  #phase = '';
  #phaseStart = 0;
  #last = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(
    readonly context: Context,
    readonly clock: Clock = systemClock,
  ) {}

  /** Takes one event; hand it to run() as onEvent. */
  readonly show = (event: RunEvent): void => {
    if (event.type === 'progress') this.#progress(event.progress);
    const text = lineOf(event);
    if (event.type === 'start') {
      this.#place = `[${event.index}/${event.total}] ${event.cell}`;
      this.#phase = '';
      this.#phaseStart = this.clock.now();
      this.#last = Number.NEGATIVE_INFINITY;
      // On a terminal the live line says it.
      if (this.context.live) this.#draw(`${this.#place} ${event.action}`);
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
      this.#phaseStart = now;
      if (!this.context.live) this.#last = Number.NEGATIVE_INFINITY;
    }
    if (now - this.#last < (this.context.live ? FRAME_MS : QUIET_MS)) return;
    this.#last = now;
    const spent = (now - this.#phaseStart) / 1000;
    const eta =
      p.eta ?? (p.fraction > 0.02 && spent > 1 ? (spent / p.fraction) * (1 - p.fraction) : undefined);
    const facts = [
      p.phase,
      p.epoch === undefined ? '' : `epoch ${p.epoch}${p.epochs ? `/${p.epochs}` : ''}`,
      this.context.live ? bar(p.fraction) : '',
      `${Math.floor(100 * p.fraction)}%`,
      p.loss === undefined ? '' : `loss ${p.loss.toPrecision(3)}`,
      p.rate === undefined ? '' : `${Math.round(p.rate)}/s`,
      eta === undefined ? '' : `${duration(eta)} left`,
    ].filter((fact) => fact !== '');
    const text = `${this.#place} ${facts.join('  ')}`;
    if (this.context.live) this.#draw(text);
    else this.#line(text);
  }

  #draw(text: string): void {
    const width = Math.max(20, this.context.world.stderr.columns ?? 80) - 1;
    const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    this.context.world.stderr.redraw(this.context.paint('dim', cut));
    this.#drawn = true;
  }

  #line(text: string): void {
    if (this.context.live) {
      this.end();
      this.context.say(text);
    } else {
      this.context.say(`${this.clock.day()} ${text}`);
    }
  }
}

/** Twelve cells, filled in eighths. */
function bar(fraction: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * 96);
  const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
  return ('█'.repeat(eighths >> 3) + part).padEnd(12, '░');
}
