// Memorisation of samples from a bank of reference models, for forget sets of samples that were learned by heart. What the
// number is stands in statistics/memorisation.ts; the models come from bank.ts.

import { check } from '../engine/error.ts';
import type { Reference } from './audits/record.ts';
import { checkSeed, philox } from './random.ts';
import type { SweepOptions } from './reduce.ts';
import { type Memorisation, memorisation } from './statistics/memorisation.ts';
import { predictions } from './statistics/outputs.ts';
import type { Progress, Split } from './types.ts';

/** Options of memorisationOf. */
export interface MemorisationOptions extends Pick<SweepOptions, 'batchSize' | 'signal'> {
  /** Told how far it is. */
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Memorisation of each sample of a bank's data, in the data's order. An answer that is not finite counts as wrong.
 * @param references of one bank; the more, the surer (`noise` of the result says how sure).
 * @param data all samples of the bank.
 * @throws LetheError 'value' where they are not; what the signal was aborted with.
 */
export async function memorisationOf(
  references: readonly Reference[],
  data: Split,
  { onProgress, ...sweep }: MemorisationOptions = {},
): Promise<Memorisation> {
  const hits: Uint8Array[] = [];
  for (const [i, { subject, members }] of references.entries()) {
    check(
      members.length === data.size,
      'value',
      () =>
        `memorisation: ${subject.name} has ${members.length} members; expected the ${data.size} samples of the bank`,
    );
    onProgress?.({ phase: 'memorisation', fraction: i / references.length });
    const outputs = await subject.answers(data, sweep);
    const predicted = predictions(outputs, outputs.logits.length / data.size);
    hits.push(Uint8Array.from(predicted, (label, at) => (label === data.labels[at] ? 1 : 0)));
  }
  onProgress?.({ phase: 'memorisation', fraction: 1 });
  return memorisation(
    hits,
    references.map(({ members }) => members),
  );
}

const TIES = 0x6d656d6f;

/**
 * Positions from the most memorised sample to the least. Few models give few different scores: equals come in an order that a
 * hash of seed and id decides, not their place. Samples without a score come last.
 * @param scores one a sample, as `memorisationOf` gives them.
 * @param ids of the samples.
 * @param seed of the ties, 0 .. 2^53 - 1.
 */
export function byMemorisation(scores: Float64Array, ids: Int32Array, seed = 0): Int32Array {
  checkSeed(seed);
  const words = new Uint32Array(4);
  const ties = Float64Array.from(ids, (id) => {
    philox(id, 0, TIES, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    return words[0];
  });
  const known = scores.map((score) => (Number.isNaN(score) ? -Infinity : score));
  return Int32Array.from(scores, (_, i) => i).sort((a, b) =>
    known[a] === known[b] ? ties[a] - ties[b] || a - b : known[b] - known[a],
  );
}
