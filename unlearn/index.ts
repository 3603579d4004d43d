/**
 * `lethe/unlearn`: data sets, forget sets, methods, evaluation, and the run that puts them together. What only the run
 * needs (recipes, report) is loaded when it is called.
 *
 * @module lethe/unlearn
 */

export {
  Artifact,
  type ArtifactStore,
  type Content,
  type ContentRef,
  getTree,
  memoryStore,
  putTree,
} from './artifact.ts';
export { folderStore } from './artifact-folder.ts';
export { type AttentionInput, type AttentionMaps, attentionMaps } from './attention.ts';
export { audits } from './audits/index.ts';
export type {
  Audit,
  AuditInput,
  AuditRecord,
  Curve,
  Figure,
  Figures,
  Finding,
  Held,
  MakeAudit,
  Need,
  Reference,
  SampleScores,
  Sets,
} from './audits/record.ts';
export {
  type Features,
  type Lend,
  lentSubject,
  type NetworkOf,
  networkSubject,
  type Subject,
  votingSubject,
} from './audits/subject.ts';
export {
  type Bank,
  type BankInput,
  bankOf,
  type ModelFacts,
  type PlannedModel,
  referencePlan,
} from './bank.ts';
export { damages, quantised, withoutSmallest } from './damage.ts';
export * from './data/index.ts';
export {
  type Answer,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationData,
  evaluate,
} from './evaluate.ts';
export {
  type InfluenceInput,
  type Influences,
  type InfluencesInput,
  influence,
  influences,
} from './influence.ts';
export { type LayerOf, layerFeatures, layersOf } from './layers.ts';
export { byMemorisation, type MemorisationOptions, memorisationOf } from './memorisation.ts';
export { type MethodName, methods } from './methods/index.ts';
export type {
  ForgetInput,
  Images,
  PredictInput,
  Prepared,
  PreparedArtifact,
  PreparedMethod,
  PrepareInput,
  Shares,
} from './methods/prepared.ts';
export type {
  Kind,
  MethodFacts,
  MethodRecord,
  PreparedRecord,
  Range,
  Sizes,
  UnlearnRecord,
  Work,
} from './methods/record.ts';
export { metrics } from './metrics/index.ts';
export { againstRetrain, type MetricsInput, metricsOf } from './metrics/measure.ts';
export { type MetricRecord, metric } from './metrics/record.ts';
export type { Constants, ModelCard } from './model.ts';
export { type PredictOptions, predict } from './predict.ts';
export {
  cardOfFile,
  type PredictFilesOptions,
  type Prediction,
  type Predictions,
  predictFiles,
} from './predict-files.ts';
export {
  type Reduction,
  type ReductionOptions,
  type Rows,
  type RowsOf,
  reduceOver,
  reduction,
  type SweepOptions,
} from './reduce.ts';
export { type Grade, type Verdict, verdictOf } from './report/verdict.ts';
export type { MemorisationFile, MemoriseOptions } from './run/memorise.ts';
export type { VariedOptions, VariedOutcome } from './run/varied.ts';
export type { Executor, GivenWeights, Job, Policy, RunEvent, RunOptions, RunOutcome } from './run.ts';
export type { Memorisation } from './statistics/memorisation.ts';
export { type Pictures, pictures } from './tasks/denoising.ts';
export { tasks } from './tasks/index.ts';
export type {
  Batch as TaskBatch,
  HostArray,
  Measure,
  Network,
  SampleLosses,
  Samples,
  Task,
  Tensors,
} from './tasks/record.ts';
export type { Criterion } from './train/criterion.ts';
export { type Hook, movingAverage } from './train/hooks.ts';
export { randomMask, type SaliencyInput, saliencyMask } from './train/mask.ts';
export type { Batches, Minimised, Objective, StepContext } from './train/objective.ts';
export type { Draw, Pass, Position, Update } from './train/schedule.ts';
export { type RecordOptions, recordUpdates } from './train/undo.ts';
export { l1Penalty, masked, softThreshold, withinBall } from './train/update.ts';
export { type EpochRecord, type TrainInput, type TrainResult, train } from './train.ts';
export type * from './types.ts';

/** Writes how far each training sample of a recipe is memorised to a CSV file; see MemoriseOptions. */
export const memorise: typeof import('./run/memorise.ts').memorise = async (source, options) => {
  const { memorise } = await import('./run/memorise.ts');
  return memorise(source, options);
};

/** Runs a recipe, given as a file's path, by the name of one that comes with Lethe, or as a plain object; see RunOptions. */
export const run: typeof import('./run.ts').run = async (source, options) => {
  const { run } = await import('./run.ts');
  return run(source, options);
};

/** Runs a recipe with `vary`, given as for run: each of its runs, and a report of all of them; see VariedOptions. */
export const runVaried: typeof import('./run/varied.ts').runVaried = async (source, options) => {
  const { runVaried } = await import('./run/varied.ts');
  return runVaried(source, options);
};
