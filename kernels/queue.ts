// Order. A backend must do things in the order they were asked for, but a program's pipelines compile on the side and
// may not be ready when its first run is enqueued. This holds back whatever comes after, and nothing else: while all is
// ready, work goes straight through.

interface Task {
  readonly ready: Promise<unknown> | null;
  readonly go: () => void;
}

export class OrderedQueue {
  private readonly waiting: Task[] = [];
  private draining = false;

  /** Is nothing held back? */
  get empty(): boolean {
    return this.waiting.length === 0 && !this.draining;
  }
  /** Calls `go` after everything enqueued before, and once `ready` is settled (however). */
  add(go: () => void, ready: Promise<unknown> | null = null): void {
    if (ready === null && this.empty) {
      go();
      return;
    }
    this.waiting.push({ ready, go });
    if (!this.draining) void this.drain();
  }
  /** Resolves when everything enqueued so far was called. */
  idle(): Promise<void> {
    return new Promise((resolve) => this.add(resolve));
  }
  private async drain(): Promise<void> {
    this.draining = true;
    for (let task = this.waiting.shift(); task; task = this.waiting.shift()) {
      if (task.ready) await task.ready.catch(() => {});
      task.go();
    }
    this.draining = false;
  }
}
