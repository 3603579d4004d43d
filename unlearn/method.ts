/**
 * `lethe/method`: what a method of one's own is made of, the parts that Lethe's methods are made of, and the kit that checks
 * it. docs/own-method.md shows one from its formula to its place in a recipe.
 *
 * @module lethe/method
 */

export { type CheckMethodOptions, checkMethod, type Finding, type MethodFinding } from './check/index.ts';
export {
  type AnyMethod,
  define,
  definePrepared,
  type Given,
  type MakeMethod,
  type MakePrepared,
} from './methods/define.ts';
export { type Head, headOf, withHead } from './methods/head.ts';
export type { MethodFacts, MethodRecord, PreparedRecord, Range, UnlearnRecord } from './methods/record.ts';
export {
  bool,
  choice,
  type Doc,
  int,
  list,
  num,
  type OptionsOf,
  type OptionsSection,
  section,
  text,
} from './options/fields.ts';
export {
  batchNorm,
  fraction,
  inherited,
  maskable,
  opt as withDefault,
  scheduled,
  tuning,
} from './options/training.ts';
export { reduceOver, reduction } from './reduce.ts';
export { labelsOf, relabelled } from './tasks/classification.ts';
export { aliasesOf, copyOf, disposeTree } from './train/feed.ts';
export { movingAverage } from './train/hooks.ts';
export type { LoopInput, LoopResult } from './train/loop.ts';
export { type NetworkSettings, networkOf } from './train/network.ts';
export { meanLoss } from './train/objective.ts';
export type { Schedule } from './train/schedule.ts';
export { passedOn, seedOf, type TuneInput, type Tuning, tune } from './train/tune.ts';
export { followedBy, l1Penalty, masked, softThreshold, withinBall } from './train/update.ts';
