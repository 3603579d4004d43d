// What is to be forgotten: from positions in the training split (forget-spec.ts) to two splits and a manifest that names the
// forgotten samples by id and by hash, so that any later run can name exactly the same ones or refuse. Manifests and scores as
// files are readers/.

import { check } from '../../engine/error.ts';
import { sha256 } from '../sha256.ts';
import { rowsByClass } from '../statistics/outputs.ts';
import { printable } from '../text.ts';
import type { Dataset, ForgetManifest, ForgetSpec, Split } from '../types.ts';
import { forgetPositions, lookUp } from './forget-spec.ts';
import type { Scores } from './readers/scores.ts';
import { refuse } from './refuse.ts';
import { imageAt, labelBytes, positionsWhere, takeSplit } from './split.ts';

/** Samples, parted by what is to be forgotten. */
export interface ForgetSet {
  /** Training samples to be forgotten. */
  readonly forget: Split;
  /** Training samples that are kept. */
  readonly retain: Split;
  /** Test samples without the forgotten classes; all of them where samples are forgotten. */
  readonly kept: Split;
  /** Test samples of the forgotten classes; null where samples are forgotten, or there are none. */
  readonly gone: Split | null;
  /** Names those to be forgotten. */
  readonly manifest: ForgetManifest;
}

/** sha256 over the bytes and the label of the sample at a position. */
function sampleHash(split: Split, position: number): string {
  return sha256(imageAt(split, position), labelBytes(split.labels.subarray(position, position + 1)));
}

/**
 * The classes of the forgotten samples, ascending, where all samples of each go; none where some of them are kept, or
 * nothing is.
 */
export function wholeClasses({ forget, retain }: Pick<ForgetSet, 'forget' | 'retain'>): number[] {
  const kept = new Set(retain.labels);
  const gone = [...new Set(forget.labels)].sort((a, b) => a - b);
  return kept.size > 0 && gone.every((label) => !kept.has(label)) ? gone : [];
}

/** Cuts the training split in two and writes down what went where. */
function cut(dataset: Dataset, spec: ForgetSpec, positions: Int32Array): ForgetSet {
  const { train } = dataset;
  check(
    positions.length > 0,
    'value',
    () =>
      `forget: nothing in the training split of ${dataset.name} is meant by ${printable(JSON.stringify(spec))}`,
  );
  check(
    positions.length < train.size,
    'value',
    () => `forget: all ${train.size} training samples of ${dataset.name} would go, none be kept`,
  );
  const gone = new Uint8Array(train.size);
  for (const p of positions) gone[p] = 1;
  const forget = takeSplit(train, positions);
  const retain = takeSplit(
    train,
    positionsWhere(train, (_, p) => gone[p] === 0),
  );
  const classes = wholeClasses({ forget, retain });
  const manifest: ForgetManifest = {
    version: 1,
    dataset: dataset.name,
    datasetHash: dataset.hash,
    spec,
    kind: classes.length > 0 ? 'class' : 'samples',
    classes,
    classIndex: classes.length === 1 ? classes[0] : null,
    ids: [...forget.ids],
    hashes: Array.from({ length: forget.size }, (_, i) => sampleHash(forget, i)),
    count: forget.size,
  };
  return { forget, retain, ...testParts(dataset.test, classes), manifest };
}

/** The test samples, split by whether their class is forgotten. */
function testParts(test: Split, classes: readonly number[]): Pick<ForgetSet, 'kept' | 'gone'> {
  if (classes.length === 0) return { kept: test, gone: null };
  const { kept, gone } = rowsByClass(test.labels, classes);
  return { kept: takeSplit(test, kept), gone: gone.length > 0 ? takeSplit(test, gone) : null };
}

/**
 * Splits the data by what is to be forgotten. `kind` is 'class' exactly when whole classes go.
 * @param scores what loadScores read of the file that the spec names, where it names one.
 * @throws LetheError 'value' for a spec that names nothing, or all there is; 'data' for scores that are not those of the
 * training samples.
 */
export function forgetSet(dataset: Dataset, spec: ForgetSpec, scores?: Scores): ForgetSet {
  return cut(dataset, spec, forgetPositions(dataset, spec, scores));
}

/** The same cut again from a manifest. Refuses ('data') if the data set or any forgotten sample differs. */
export function applyManifest(dataset: Dataset, manifest: ForgetManifest): ForgetSet {
  if (manifest.datasetHash !== dataset.hash) {
    const short = (hash: string) => `${printable(hash.slice(0, 12))}...`;
    refuse(
      'forget manifest',
      '',
      `made for ${printable(manifest.dataset)} with sha256 ${short(manifest.datasetHash)}, this is ${dataset.name} with ${short(dataset.hash)}`,
    );
  }
  const { train } = dataset;
  const positions = lookUp(manifest.ids, train.ids, (id) =>
    refuse('forget manifest', '', `no training sample of ${dataset.name} has id ${id}`),
  );
  const hashOf = new Map(manifest.ids.map((id, i) => [id, manifest.hashes[i]]));
  for (const p of positions) {
    if (sampleHash(train, p) !== hashOf.get(train.ids[p]))
      refuse('forget manifest', `id ${train.ids[p]}`, 'the sample differs from the one the manifest names');
  }
  return cut(dataset, manifest.spec, positions);
}
