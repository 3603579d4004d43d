// How long a run has still to go: the plan's estimates, corrected by what has been measured so far. It watches the events
// of the run; drawing is progress.ts.

import type { Action, RunEvent } from '../unlearn/run/log.ts';
import type { CellState } from '../unlearn/run/plan.ts';
import type { Progress } from '../unlearn/types.ts';

type Kind = 'prepare' | 'make' | 'evaluate';

const kindOf = (action: Action): Kind => (action === 'prepare' || action === 'evaluate' ? action : 'make');

/** What the plan has to tell of a cell. */
interface Planned {
  readonly id: string;
  readonly label: string;
  readonly state: CellState;
  /** What its method prepares, and whether that is there. */
  readonly prepared?: object | null;
  readonly isPrepared?: boolean;
  readonly record: { readonly cost: { readonly seconds: number } } | null;
  readonly estimate?: { readonly seconds: number; readonly evaluation: number };
}

interface Task {
  readonly cell: string;
  readonly kind: Kind;
  /** Tasks with the same name take about as long: the same method from another seed. */
  readonly name: string;
  /** Seconds, as planned. */
  readonly estimate: number;
}

interface Current {
  readonly task: Task | null;
  readonly began: number;
  phase: Phase | null;
}

interface Phase {
  readonly name: string;
  /** Where it stood when it was first heard of, and when: work that was begun before does not start at 0. */
  readonly at: number;
  readonly from: number;
  fraction: number;
  eta?: number;
}

/** Progress below this tells nothing of speed: compiling, reading, warming up. */
const MIN_SECONDS = 2;
const MIN_FRACTION = 0.01;

export class Forecast {
  #began: number | null = null;
  #todo: Task[] = [];
  #current: Current | null = null;
  /** Seconds that tasks of a name took. */
  readonly #known = new Map<string, number>();
  /** Sums over the tasks that were measured: how far plans are from what happens. */
  readonly #sums = {
    prepare: { planned: 0, took: 0 },
    make: { planned: 0, took: 0 },
    evaluate: { planned: 0, took: 0 },
  };

  /** @param now seconds, on any clock that only goes forward. */
  take(event: RunEvent, now: number): void {
    if (event.type === 'plan') this.#plan(event.cells, now);
    if (event.type === 'start') {
      const kind = kindOf(event.action);
      const place = this.#todo.findIndex((t) => t.cell === event.cell && t.kind === kind);
      // What comes before is done, or failed.
      const [task = null] = place < 0 ? [] : this.#todo.splice(0, place + 1).slice(-1);
      if (event.action === 'report') this.#todo = [];
      this.#current = { task, began: now, phase: null };
    }
    if (event.type === 'progress' && this.#current) heard(this.#current, event.progress, now);
    if (event.type === 'end' && this.#current) {
      const { task } = this.#current;
      if (task) {
        this.#known.set(task.name, event.seconds);
        // What was planned as nothing says nothing of the others.
        if (task.estimate > 0) {
          this.#sums[task.kind].planned += task.estimate;
          this.#sums[task.kind].took += event.seconds;
        }
      }
      this.#current = null;
    }
  }

  /** Seconds that all of the run has still to go; undefined where nothing tells. */
  left(now: number): number | undefined {
    const rest = this.#todo.reduce((sum, task) => sum + this.#expected(task, now), 0);
    if (!this.#current) return this.#todo.length > 0 ? rest : undefined;
    const { task, began } = this.#current;
    const measured = phaseLeft(this.#current, now);
    if (measured === undefined && !task) return undefined;
    const planned = task ? Math.max(0, this.#expected(task, now) - (now - began)) : 0;
    return rest + (measured ?? planned);
  }

  /** Share of the run that is done, 0..1, as time goes; of the phase where no plan is known. */
  done(now: number): number {
    const left = this.left(now);
    if (this.#began === null || left === undefined) return this.#current?.phase?.fraction ?? 0;
    const spent = now - this.#began;
    return spent + left > 0 ? spent / (spent + left) : 1;
  }

  #plan(cells: readonly Planned[], now: number): void {
    // A run with a search plans twice: the second plan takes the place of the first.
    this.#began ??= now;
    this.#todo = [];
    for (const { id, label, state, prepared, isPrepared, record, estimate } of cells) {
      // What was given took nobody knows how long.
      if (Number.isFinite(record?.cost.seconds))
        this.#known.set(`make ${label}`, record?.cost.seconds as number);
      if (state === 'done' || !estimate) continue;
      const { seconds, evaluation } = estimate;
      const task = (kind: Kind, seconds: number): Task => ({
        cell: id,
        kind,
        name: `${kind} ${label}`,
        estimate: seconds,
      });
      // The plan does not tell a preparation from what comes after it.
      const preparing = state !== 'evaluate' && prepared && !isPrepared;
      if (preparing) this.#todo.push(task('prepare', seconds - evaluation));
      if (state !== 'evaluate') this.#todo.push(task('make', preparing ? 0 : seconds - evaluation));
      this.#todo.push(task('evaluate', evaluation));
    }
  }

  #expected(task: Task, now: number): number {
    const known = this.#known.get(task.name);
    if (known !== undefined) return known;
    let { planned, took } = this.#sums[task.kind];
    const running = this.#current?.task;
    if (this.#current && running?.kind === task.kind) {
      const whole = wholePhase(this.#current, now);
      planned += whole === undefined ? 0 : running.estimate;
      took += whole ?? 0;
    }
    return planned > 0 ? (task.estimate * took) / planned : task.estimate;
  }
}

function heard(current: Current, { phase: name, fraction, epochs, eta }: Progress, now: number): void {
  // What comes before the epochs of a method is a small part of it, and says nothing of the rest.
  if (current.task?.kind === 'make' && epochs === undefined) return;
  if (current.phase?.name === name) Object.assign(current.phase, { fraction, eta });
  else current.phase = { name, at: now, from: fraction, fraction, eta };
}

/** Seconds the phase takes from its beginning to its end at the speed measured so far; undefined as long as none is. */
function wholePhase({ phase }: Current, now: number): number | undefined {
  if (!phase || now - phase.at < MIN_SECONDS || phase.fraction - phase.from < MIN_FRACTION) return undefined;
  return (now - phase.at) / (phase.fraction - phase.from);
}

function phaseLeft(current: Current, now: number): number | undefined {
  const whole = wholePhase(current, now);
  return whole === undefined || !current.phase
    ? undefined
    : (current.phase.eta ?? whole * (1 - current.phase.fraction));
}
