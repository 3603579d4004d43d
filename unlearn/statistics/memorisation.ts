// How much a sample's own label is memorised: how much likelier a model answers it rightly for having been trained on it.
// Feldman and Zhang, "What Neural Networks Memorize and Why" (NeurIPS 2020), estimate it from models on random subsets, there
// 70 % of the samples; here they are halves.

/** Estimates, one a sample. NaN where all models were trained on the sample, or none. */
export interface Memorisation {
  /** `inside` minus `outside`, -1 to 1. */
  readonly scores: Float64Array;
  /** Share of the models trained on the sample that answer it with its label. */
  readonly inside: Float64Array;
  /** The same of the models that were not. */
  readonly outside: Float64Array;
  /**
   * The largest standard error a score can have, sqrt(1 / (4 a) + 1 / (4 b)) with a models inside and b outside: a share of n
   * independent answers has a variance of at most 1 / (4 n). 0.5 for 4 references, 0.18 for 32. From elementary probability,
   * not from the paper.
   */
  readonly noise: Float64Array;
}

/**
 * mem(i) = mean over models trained on i of [answer = label] - mean over the other models of the same.
 * @param hits of each model, [samples]: 1 where it answers with the label, 0 where not.
 * @param members of each model, [samples]: 1 where it was trained on the sample, 0 where not.
 * @throws RangeError where the lists disagree in length.
 */
export function memorisation(
  hits: readonly ArrayLike<number>[],
  members: readonly ArrayLike<number>[],
): Memorisation {
  const size = hits[0]?.length ?? 0;
  if (hits.length !== members.length || [...hits, ...members].some(({ length }) => length !== size))
    throw new RangeError(
      `memorisation: expected answers and members of as many models, ${size} samples each, got ${hits.length} and ${members.length} models`,
    );
  const of = (value: (inside: Tally, outside: Tally) => number) =>
    Float64Array.from({ length: size }, (_, i) => value(tally(i, 1), tally(i, 0)));
  const tally = (i: number, member: 0 | 1): Tally => {
    let [models, right] = [0, 0];
    hits.forEach((hit, m) => {
      if (members[m][i] !== member) return;
      models++;
      right += hit[i];
    });
    // 0 / 0 is NaN: where there is no model there is no share.
    return { models, share: right / models };
  };
  return {
    scores: of((a, b) => a.share - b.share),
    inside: of((a) => a.share),
    outside: of((_, b) => b.share),
    noise: of((a, b) =>
      a.models * b.models > 0 ? Math.sqrt(0.25 / a.models + 0.25 / b.models) : Number.NaN,
    ),
  };
}

interface Tally {
  readonly models: number;
  readonly share: number;
}
