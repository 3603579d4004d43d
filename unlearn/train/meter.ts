// Progress of a loop: rate over the recent past, seconds left, at most ten reports a second. Also the breath that lets
// timers and signals through when the device computes on JavaScript's own thread.

import type { Progress } from '../types.ts';
import type { Position, Schedule } from './schedule.ts';

const EVERY_MS = 100;
/** The rate is taken over about this long. */
const WINDOW_MS = 5000;

export class Meter {
  #last = Number.NEGATIVE_INFINITY;
  readonly #marks: { time: number; samples: number }[] = [];

  constructor(
    readonly phase: string,
    readonly schedule: Schedule,
    readonly report: ((progress: Progress) => void) | undefined,
  ) {}

  /** @param samples done in this epoch. @param loss its mean so far. */
  show(at: Position, samples: number, loss: number): void {
    const time = performance.now();
    if (!this.report || time - this.#last < EVERY_MS) return;
    this.#last = time;
    const { schedule } = this;
    const done = schedule.samplesBefore(at.epoch) + samples;
    const total = schedule.samples;
    const marks = this.#marks;
    marks.push({ time, samples: done });
    while (marks.length > 2 && time - marks[1].time > WINDOW_MS) marks.shift();
    const rate = (1000 * (done - marks[0].samples)) / (time - marks[0].time);
    this.report({
      phase: this.phase,
      fraction: done / total,
      epoch: at.epoch + 1,
      epochs: schedule.epochs,
      step: at.within + 1,
      steps: at.epochSteps,
      loss,
      ...(rate > 0 && Number.isFinite(rate) ? { rate, eta: (total - done) / rate } : {}),
    });
  }

  finish(): void {
    const { epochs } = this.schedule;
    this.report?.({ phase: this.phase, fraction: 1, epoch: epochs, epochs, eta: 0 });
  }
}

const BREATH_MS = 30;
let breathed = 0;

/** Lets the event loop turn if it has not done so lately. */
export async function yieldToEventLoop(): Promise<void> {
  if (performance.now() - breathed < BREATH_MS) return;
  await new Promise<void>((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
  breathed = performance.now();
}
