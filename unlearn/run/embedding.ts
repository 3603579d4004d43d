// The picture of a model's features in the report: a few points of each set on the first two principal components of what the
// last layer is given. The choice of points is the same for every model; the directions are each model's own.

import type { Classifier } from '../../engine/nn/types.ts';
import type { Subject } from '../audits/subject.ts';
import { takeSplit } from '../data/split.ts';
import { spreadOver } from '../evaluate.ts';
import { principalPlane } from '../statistics/projection.ts';
import type { Exhibits, Split } from '../types.ts';
import type { RunData } from './parts.ts';

/** Points in all. */
const POINTS = 400;
type Embedding = NonNullable<Exhibits['embedding']>;

/** Undefined for a model without features, or whose features are not finite. */
export async function embeddingOf(
  subject: Subject,
  runData: Pick<RunData, 'forget' | 'gone' | 'kept'>,
  signal?: AbortSignal,
): Promise<Embedding | undefined> {
  const { model } = subject.network ?? {};
  if (!Array.isArray((model as Partial<Classifier> | undefined)?.head)) return undefined;
  const { forget, gone, kept } = runData;
  const sets = Object.entries({ forget, gone, kept }).filter(
    (one): one is [Embedding['set'][number], Split] => one[1] !== null,
  );
  const values: number[] = [];
  const [set, label]: [Embedding['set'][number][], number[]] = [[], []];
  let width = 0;
  for (const [name, split] of sets) {
    const some = takeSplit(split, spreadOver(split.labels, Math.floor(POINTS / sets.length)));
    const found = await subject.features(some, { signal });
    width = found.width;
    for (const value of found.values) values.push(value);
    for (const one of some.labels) label.push(one);
    for (let i = 0; i < some.size; i++) set.push(name);
  }
  const plane = principalPlane(values, set.length, width);
  if (!plane) return undefined;
  const short = (all: Float64Array) => Array.from(all, (value) => Number(value.toPrecision(4)));
  const about = `First two principal components of the ${width} features before the last layer, ${Math.round(100 * plane.share)} % of their variance.`;
  return { about, x: short(plane.x), y: short(plane.y), set, label };
}
