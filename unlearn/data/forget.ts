// What is to be forgotten: from a wish (a class, a share, ids, files, a person) to two splits and a manifest that
// names the forgotten samples by id and by hash, so that any later run can name exactly the same ones or refuse. Manifests
// as files are readers/manifest.ts.

import { check, LetheError } from '../../engine/error.ts';
import { checkSeed, permutation } from '../random.ts';
import { sha256 } from '../sha256.ts';
import { rowsByClass } from '../statistics/outputs.ts';
import { printable } from '../text.ts';
import type { Dataset, ForgetManifest, ForgetSpec, Split } from '../types.ts';
import { refuse, unknownName } from './refuse.ts';
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

/** The index of a class given by name or index; an unknown one is a 'value' error with the nearest name. */
export function classIndexOf(dataset: Pick<Dataset, 'classes'>, which: string | number): number {
  const { classes } = dataset;
  if (typeof which === 'string') {
    const at = classes.indexOf(which);
    return at >= 0 ? at : unknownName('class', which, classes);
  }
  check(
    Number.isInteger(which) && which >= 0 && which < classes.length,
    'value',
    () => `class ${which}: expected an index from 0 to ${classes.length - 1}`,
  );
  return which;
}

const KEYS = ['class', 'ratio', 'ids', 'files', 'person'] as const;
type Key = (typeof KEYS)[number];

/** The one key of a spec. None, several, or one out of place is a 'value' error. */
export function keyOf(spec: ForgetSpec): Key {
  const given = Object.keys(spec);
  const keys = KEYS.filter((key) => given.includes(key));
  check(
    keys.length === 1,
    'value',
    () =>
      `forget: expected exactly one of ${KEYS.join(', ')}, got ${given.map(printable).join(', ') || 'none'}`,
  );
  const allowed: readonly string[] = keys[0] === 'ratio' ? ['ratio', 'seed', 'withinClass'] : keys;
  const stray = given.find((key) => !allowed.includes(key));
  check(
    stray === undefined,
    'value',
    () => `forget: '${printable(stray!)}' does not go with '${keys[0]}'; expected ${allowed.join(', ')}`,
  );
  return keys[0];
}

/** Positions of samples whose key is among the wanted; the first wanted without a sample is a 'value' error. */
function lookUp<T>(wanted: readonly T[], keys: Iterable<T>, missing: (key: T) => never): Int32Array {
  const at = new Map<T, number>();
  let position = 0;
  for (const key of keys) at.set(key, position++);
  return Int32Array.from(new Set(wanted), (key) => at.get(key) ?? missing(key)).sort();
}

function randomShare(dataset: Dataset, spec: Extract<ForgetSpec, { ratio: number }>): Int32Array {
  const { ratio, seed = 0, withinClass } = spec;
  checkSeed(seed);
  check(
    typeof ratio === 'number' && ratio > 0 && ratio <= 1,
    'value',
    () => `forget ratio: expected a number above 0 and at most 1, got ${String(ratio)}`,
  );
  const within = withinClass === undefined ? null : classIndexOf(dataset, withinClass);
  const pool = positionsWhere(dataset.train, (label) => within === null || label === within);
  const count = Math.max(1, Math.floor(pool.length * ratio + 0.5));
  const order = permutation(pool.length, seed, 0, 0, 0x666f7267);
  return Int32Array.from(order.subarray(0, Math.min(count, pool.length)), (i) => pool[i]).sort();
}

/** Samples of a person: a class of that name, or the files below a folder of that name. */
function personPositions(dataset: Dataset, person: string): Int32Array {
  check(
    typeof person === 'string' && person !== '',
    'value',
    () => 'forget person: expected the name of a class or folder',
  );
  const { train, classes } = dataset;
  const label = classes.indexOf(person);
  if (label >= 0) return positionsWhere(train, (l) => l === label);
  const prefix = `${person.replace(/\/+$/, '')}/`;
  const positions = positionsWhere(train, (_, i) => train.files?.[i].startsWith(prefix) ?? false);
  return positions.length > 0 ? positions : unknownName('person', person, classes);
}

/** Positions, ascending, in the training split of what the spec names. */
export function forgetPositions(dataset: Dataset, spec: ForgetSpec): Int32Array {
  const { train } = dataset;
  const key = keyOf(spec);
  if ('class' in spec) {
    const classes = new Set(
      (Array.isArray(spec.class) ? spec.class : [spec.class]).map((which) => classIndexOf(dataset, which)),
    );
    return positionsWhere(train, (label) => classes.has(label));
  }
  if ('ratio' in spec) return randomShare(dataset, spec);
  if ('person' in spec) return personPositions(dataset, spec.person);
  const wanted: readonly unknown[] = 'ids' in spec ? spec.ids : spec.files;
  check(Array.isArray(wanted), 'value', () => `forget ${key}: expected a list`);
  if ('ids' in spec) {
    return lookUp(spec.ids, train.ids, (id) => {
      throw new LetheError(
        'value',
        `forget ids: no training sample of ${dataset.name} has id ${printable(String(id))}`,
      );
    });
  }
  const { files } = train;
  if (files === undefined)
    throw new LetheError('value', `forget files: the samples of ${dataset.name} are not files; use ids`);
  return lookUp(spec.files, files, (file) => unknownName('training file', String(file), files));
}

/** sha256 over the bytes and the label of the sample at a position. */
export function sampleHash(split: Split, position: number): string {
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

/** Splits the training data by what is to be forgotten. `kind` is 'class' exactly when whole classes go. */
export function forgetSet(dataset: Dataset, spec: ForgetSpec): ForgetSet {
  return cut(dataset, spec, forgetPositions(dataset, spec));
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
