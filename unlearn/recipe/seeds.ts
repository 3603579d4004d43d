// The seeds of a recipe. A whole run is repeated for each entry of `seeds`; an entry is three seeds, of which a number is
// the short form: one for training (the original, retrain), one for the draw of the forget set, one for the methods. What
// depends on one of them alone is made once for all entries that share it (run/plan.ts).

/** The seeds of one repetition. */
export interface Seeds {
  /** Its name in results: the number itself, or train * 10^6 + forget * 10^3 + unlearn where the three differ. */
  readonly seed: number;
  /** Of the original and of retrain: first weights, order, augmentation. */
  readonly train: number;
  /** Of the random forget set; without a random one nothing depends on it. */
  readonly forget: number;
  /** Of the methods that start from the original. */
  readonly unlearn: number;
}

/** An entry of `seeds`: all three seeds at once, or each by itself. */
export type SeedEntry = number | Omit<Seeds, 'seed'>;

/** What of a recipe decides its seeds. */
interface Seeded {
  readonly seeds: readonly SeedEntry[];
  readonly forget: Share & { readonly seed?: number };
}
interface Share {
  readonly ratio?: number;
  readonly scores?: string;
}

/** Whether what is forgotten is drawn at random: a share, but for that with the highest or lowest scores. */
export const isDrawn = ({ ratio, scores }: Share): boolean => ratio !== undefined && scores === undefined;

/** Whether each forget seed has a forget set of its own: a random one, whose seed is not stated. */
export const drawsForget = ({ forget }: Pick<Seeded, 'forget'>): boolean =>
  isDrawn(forget) && forget.seed === undefined;

/** The seeds of each repetition. A seed stated in `forget` is that of all of them. */
export function seedsOf({ seeds, forget }: Seeded): Seeds[] {
  return seeds.map((entry) => {
    const all = typeof entry === 'number' ? { train: entry, forget: entry, unlearn: entry } : entry;
    const same = all.train === all.forget && all.train === all.unlearn;
    const seed = same ? all.train : all.train * 1e6 + all.forget * 1e3 + all.unlearn;
    return { seed, ...all, forget: forget.seed ?? all.forget };
  });
}

/** What is wrong with a list of seeds; null for nothing. */
export function flawOfSeeds(recipe: Seeded): string | null {
  const drawn = drawsForget(recipe);
  const all = seedsOf(recipe);
  const meant = all.map(({ train, forget, unlearn }) => `${train} ${drawn ? forget : ''} ${unlearn}`);
  if (new Set(meant).size !== all.length)
    return drawn || all.every(({ train, forget }) => train === forget)
      ? 'expected seeds that differ from each other'
      : 'expected seeds that differ from each other in train or unlearn: the forget set depends on no seed here';
  const twice = all.find(({ seed }, i) => all.findIndex((other) => other.seed === seed) < i);
  return twice
    ? `expected seeds with names of their own: two are called ${twice.seed} (train * 10^6 + forget * 10^3 + unlearn)`
    : null;
}
