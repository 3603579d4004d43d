// Keeps the kernels of a growing program in an order in which each comes after those it reads from (Pearce and Kelly,
// "A dynamic topological sort algorithm for directed acyclic graphs", 2007). Then whether one kernel depends on another
// is a search of what lies between the two, not of the whole program.

export interface Node {
  /** Place in the order; numbers grow from what is read to what reads it. */
  order: number;
  readonly dependents: Set<Node>;
}

const MAX_LOOKAHEAD = 1024;

/** All that can be reached from `start` over nodes that `within` lets pass, start included. */
function reach<N extends Node>(start: N, next: (n: N) => Iterable<N>, within: (n: N) => boolean): Set<N> {
  const found = new Set([start]);
  for (const n of found) for (const m of next(n)) if (within(m)) found.add(m);
  return found;
}

export class Order<N extends Node> {
  private count = 0;
  constructor(
    /** What a node reads from. */
    private readonly sources: (n: N) => Iterable<N>,
    /** The node that stands for one that was merged away. */
    private readonly resolve: (n: N) => N,
  ) {}

  last(): number {
    return this.count++;
  }

  /** Records that `first` must come before `then`, and moves what stands in the way. */
  precede(first: N, then: N): void {
    if (first === then) return;
    first.dependents.add(then);
    const [low, high] = [then.order, first.order];
    if (high < low) return;
    const after = reach(
      then,
      (n) => this.dependents(n),
      (n) => n.order <= high,
    );
    const before = reach(first, this.sources, (n) => n.order >= low);
    for (const n of before)
      if (after.has(n)) throw new Error('fusion: kernels depend on each other in a circle');
    const byOrder = (a: N, b: N): number => a.order - b.order;
    const moved = [...[...before].sort(byOrder), ...[...after].sort(byOrder)];
    const places = moved.map((n) => n.order).sort((a, b) => a - b);
    moved.forEach((n, i) => {
      n.order = places[i];
    });
  }

  /**
   * Would `node` depend on itself if it also read from `bases`? Also true where the answer is too far to seek: work
   * that is that far away does not belong together, and programs of any length are ordered in linear time.
   */
  wouldCycle(node: N, bases: Iterable<N>): boolean {
    for (const base of bases) {
      if (base === node) return true;
      if (base.order - node.order > MAX_LOOKAHEAD) return true;
      if (base.order > node.order && reach(base, this.sources, (n) => n.order >= node.order).has(node))
        return true;
    }
    return false;
  }

  /** `from` has become part of `into`, which now has the sources of both. */
  merged(into: N, from: N): void {
    into.order = Math.max(into.order, from.order);
    for (const d of [...into.dependents, ...from.dependents]) this.precede(into, this.resolve(d as N));
  }

  private *dependents(n: N): Iterable<N> {
    for (const d of n.dependents) {
      const to = this.resolve(d as N);
      if (to !== n) yield to;
    }
  }
}
