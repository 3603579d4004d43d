// The bank of reference models: models like the original, trained on random halves of all samples, or on what a retrained
// model is trained on with other seeds. Many audits need them (RMIA, IAM, U-LiRA, KLoM, memorisation); one bank serves all.
//
// They are trained one after the other, on all threads, each as if it were alone: its bits are those of `train` with its
// samples and its seed, whatever else is in the plan. Each is kept in an artifact as soon as it is done, under a name that
// says what it depends on: a killed process goes on with the next one, and what is there is never trained again.
//
// Training W of them as one program, by `vmap` over stacked weights, was measured (docs/bank.md): on a CPU of two cores a step
// of smallCnn took 1.17 times as long as alone, the median of twelve settings, and one of allCnn 0.99 times, in W times the
// memory; and the bits were others. So there is one way, and at any time one training's memory.

import { check } from '../engine/error.ts';
import type { Classifier, Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import { Artifact, getTree, memoryStore, putTree } from './artifact.ts';
import type { Reference } from './audits/record.ts';
import { type Lend, lentSubject } from './audits/subject.ts';
import { checkPlan, type PlannedModel, sizeOf } from './bank/plan.ts';
import { positionsWhere, takeSplit } from './data/split.ts';
import { canonicalJson } from './json.ts';
import { completeOptions } from './options/complete.ts';
import { type TrainOptions, trainSchema } from './options/training.ts';
import { sha256 } from './sha256.ts';
import { defaultTask } from './tasks/index.ts';
import { disposeTree } from './train/feed.ts';
import { type TrainInput, train } from './train.ts';
import type { Cost, Progress, Split } from './types.ts';

export { type PlannedModel, referencePlan } from './bank/plan.ts';

/** What a bank is made of. */
export interface BankInput {
  /** The network of all models. Of it only the name is compared with what the artifact holds. */
  readonly model: Classifier;
  /** All samples: for references training samples, then test samples (`joinSplits`). */
  readonly data: Split;
  /** The models, such as `referencePlan` makes them. */
  readonly plan: readonly PlannedModel[];
  /** How each is trained; those left out take their defaults. */
  readonly options?: Partial<TrainOptions>;
  /**
   * Where the models are kept, and what an earlier call left; in memory by default. Its key has to tell architectures,
   * normalisations and devices apart. Models of other plans, data and options may lie in it, and stay.
   */
  readonly artifact?: Artifact;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. Models that are done are kept. */
  readonly signal?: AbortSignal;
  /** Told how far it is, and of models that learn nothing. */
  readonly onProgress?: (progress: Progress) => void;
}

/** What is known of a model in a bank. */
export interface ModelFacts {
  /** Of the plan. */
  readonly seed: number;
  /** How many samples it is trained on. */
  readonly samples: number;
  /** Mean over the last epoch, nats. */
  readonly trainLoss: number;
  /** False where that is no better than knowing nothing of the images. */
  readonly learned: boolean;
}

/** Trained models, in the order of the plan. */
export interface Bank {
  /** Where they are kept. */
  readonly artifact: Artifact;
  /** What is known of each. */
  readonly facts: readonly ModelFacts[];
  /** Models that this call trained; the others were there. */
  readonly trained: number;
  /** What all models of the plan took, whichever call trained them; a training that was stopped half-way is not counted. */
  readonly cost: Cost;
  /** Bytes of one model's weights, as they are kept. */
  readonly bytes: number;
  /**
   * The models as subjects of audits. Weights are read when one is asked, and given back when it has answered; the bank holds
   * those of one model at a time, so there is nothing to release. Answers and features on a split are kept.
   */
  readonly references: readonly Reference[];
  /** Weights of a model, by its place in the plan; the caller's to dispose. @throws LetheError 'value' for no such place. */
  variables(place: number): Promise<Variables>;
}

const PHASE = 'reference models';
type Took = Pick<Cost, 'seconds' | 'gradientSteps' | 'samplesVisited'>;

/**
 * Trains the models of a plan that are not in the artifact, one at a time, and commits each as it is done.
 * @throws LetheError 'value' for a plan that does not fit the data, wrong options, and a model that diverges (what was done
 * before is kept); what the signal was aborted with.
 */
export async function bankOf(input: BankInput): Promise<Bank> {
  const { model, data, plan, signal, onProgress } = input;
  const { artifact = Artifact.create(memoryStore(), { method: 'bank', key: model.name }) } = input;
  const options = completeOptions<TrainOptions>('bank', trainSchema, input.options);
  defaultTask().check('bank: data', data);
  checkPlan(plan, data);
  const files = filesOf(plan, [model.name, options], data);
  const missing = [...files.keys()].filter(
    (place) => !artifact.has(files[place]) && files.indexOf(files[place]) === place,
  );
  const whole = missing.reduce((sum, place) => sum + sizeOf(plan[place]), 0);
  let done = 0;
  for (const place of missing) {
    signal?.throwIfAborted();
    const size = sizeOf(plan[place]);
    const name = `bank: model ${place + 1} of ${plan.length}`;
    const tell = ({ fraction, warning }: Pick<Progress, 'fraction' | 'warning'>) => {
      const said = warning && { warning: `${name}: ${warning}` };
      onProgress?.({ phase: PHASE, fraction: (done + fraction * size) / whole, ...said });
    };
    tell({ fraction: 0 });
    const listening = { signal, onProgress: tell };
    await trainOne(artifact, files[place], plan[place], { name, model, data, options, ...listening });
    done += size;
  }
  onProgress?.({ phase: PHASE, fraction: 1 });
  return opened(model, artifact, plan, files, missing.length);
}

/** Names of the models in the artifact: by all they depend on but the network, which has only a name. */
function filesOf(plan: readonly PlannedModel[], how: unknown, { shape, images, labels }: Split): string[] {
  const { buffer, byteOffset, byteLength } = labels;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const all = sha256(canonicalJson([how, shape, labels.length]), images, bytes);
  return plan.map(({ seed, members }) => `models/${sha256(all, `${seed} `, members)}`);
}

/** Trains a model and keeps it, with what is known of it. */
async function trainOne(
  artifact: Artifact,
  file: string,
  { seed, members }: PlannedModel,
  { data, ...input }: Omit<TrainInput, 'key'>,
): Promise<void> {
  const set = takeSplit(
    data,
    positionsWhere(data, (_, position) => members[position] === 1),
  );
  const key = lt.random.key(seed);
  try {
    const { variables, cost, details } = await train({ ...input, data: set, key });
    try {
      await putTree(artifact, file, variables);
    } finally {
      disposeTree(variables);
    }
    const { trainLoss, learned } = details;
    const { seconds, gradientSteps, samplesVisited } = cost;
    artifact.facts[file] = { seed, samples: set.size, trainLoss, learned };
    artifact.notes[file] = { seconds, gradientSteps, samplesVisited };
    await artifact.commit();
  } finally {
    key.dispose();
  }
}

/** A bank whose models are all there. */
function opened(
  model: Classifier,
  artifact: Artifact,
  plan: readonly PlannedModel[],
  files: readonly string[],
  trained: number,
): Bank {
  const inTurn = turns();
  const variables = async (place: number): Promise<Variables> => {
    const file = files[place];
    check(file !== undefined, 'value', () => `bank: no model ${place}; expected 0 to ${files.length - 1}`);
    return getTree<Variables>(artifact, file);
  };
  const lend =
    (place: number): Lend =>
    (work) =>
      inTurn(async () => {
        const own = await variables(place);
        try {
          return await work({ model, variables: own });
        } finally {
          disposeTree(own);
        }
      });
  const took = [...new Set(files)].map((file) => artifact.notes[file] as Took);
  const total = (what: keyof Took) => took.reduce((sum, one) => sum + one[what], 0);
  return {
    artifact,
    facts: files.map((file) => artifact.facts[file] as ModelFacts),
    trained,
    cost: {
      seconds: total('seconds'),
      gradientSteps: total('gradientSteps'),
      samplesVisited: total('samplesVisited'),
    },
    bytes: artifact.ref(files[0]).bytes,
    references: plan.map(({ members }, place) => ({
      subject: lentSubject(`reference ${place + 1}`, lend(place)),
      members,
    })),
    variables,
  };
}

/** Pieces of work one after the other, in the order they were handed in. */
function turns() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => {}); // Seen by whoever handed it in.
    return next;
  };
}
