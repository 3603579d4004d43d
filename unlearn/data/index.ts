// The data side of Lethe in one import. Pictures as PNG (png.ts) are apart, so that nothing here loads an image codec
// before a picture is read.

export { type Augment, type Batch, type BatchOptions, batchCount, batches, toFloats } from './batches.ts';
export { type Description, datasets, type ListEntry, type LoadOptions } from './datasets.ts';
export { applyManifest, type ForgetSet, forgetSet } from './forget.ts';
export { classIndexOf } from './forget-spec.ts';
export { type Mislabelling, mislabel, rightLabels } from './mislabelled.ts';
export type { FileFact } from './readers/checksums.ts';
export type { GetOptions } from './readers/download.ts';
export type { Inspection, NearDuplicate } from './readers/inspect.ts';
export { loadManifest, saveManifest } from './readers/manifest.ts';
export { loadScores, type Scores } from './readers/scores.ts';
export type { DatasetName } from './sets/index.ts';
export { type DatasetRecord, defineDataset } from './sets/record.ts';
export {
  type ChannelStatistics,
  type ClassCount,
  channelStatistics,
  classCounts,
  datasetHash,
  excludeClass,
  type HeldOut,
  holdOut,
  imageAt,
  joinSplits,
  type Loaded,
  makeSplit,
  onlyClass,
  takeSplit,
} from './split.ts';
