// The real parts of a run: the engine's device and models, the data readers, the trainer, the methods, the audits and
// the report, each put behind the plain interface of parts.ts.

import { LetheError } from '../../engine/error.ts';
import { openSafetensors } from '../../engine/io/index.ts';
import type { Classifier, Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { AuditInput } from '../audits/record.ts';
import { votingSubject } from '../audits/subject.ts';
import { channelStatistics } from '../data/index.ts';
import { joinSplits } from '../data/split.ts';
import type { Answer } from '../evaluate.ts';
import { memorisationOf } from '../memorisation.ts';
import { type MethodTable, methodByName, methods, recordOf } from '../methods/index.ts';
import type { MethodRecord, PreparedRecord } from '../methods/record.ts';
import { type Constants, checkCard, constantsFor, modelFor } from '../model.ts';
import { hint } from '../options/suggest.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import { disposeTree } from '../train/feed.ts';
import { recordUpdates } from '../train/undo.ts';
import { train } from '../train.ts';
import type { CheckpointStore, Dataset, Method, Split } from '../types.ts';
import { cardIn, fromFile } from '../weights.ts';
import { makeAudits, type Opened, opened } from './auditing.ts';
import type { Bank } from './audits.ts';
import { type BankData, makeBank, openBanks } from './banks.ts';
import { evaluationOf } from './evaluating.ts';
import { measureStep } from './measure.ts';
import { constantsOf, freshWeights, hasState, outcomeOf } from './network.ts';
import type { AuditTask, Parts, Subject, Task } from './parts.ts';
import { drawRunData, loadRunData } from './run-data.ts';

type Architecture = (recipe: Recipe, dataset: Dataset, constants: Constants) => Model;

/** What they work with. */
interface Tools {
  /** Makes the model of a recipe; the engine's own unless said otherwise. */
  readonly architecture?: Architecture;
  /** By name; Lethe's own unless said otherwise. */
  readonly methods?: MethodTable;
}

export function defaultParts({ architecture = modelFor, methods: table = methods }: Tools = {}): Parts {
  const knownRecord = (name: string): MethodRecord => {
    const record = recordOf(name, table);
    if (!record) throw new LetheError('value', `no method "${name}"${hint(name, Object.keys(table))}`);
    return record;
  };
  const preparedRecord = ({ name }: MethodEntry): PreparedRecord => {
    const record = knownRecord(name);
    if (!record.prepare) throw new LetheError('value', `${name} has no preparation of its own`);
    return record;
  };
  let device: lt.Device | null = null;
  /** On their own device; the caller's, before one is opened. */
  const here = <R>(work: () => R): R => (device ? lt.withDevice(device, work) : work());
  /** Model, data and key of what is prepared: constants over all images would know those that will be forgotten. */
  const unbiased = ({ recipe, runData: { dataset }, seed }: Task) => {
    const { model } = recipe;
    const normalisation = model.normalisation === 'dataset' ? 'half' : model.normalisation;
    const constants = constantsFor({ model: { ...model, normalisation } }, dataset);
    return {
      model: architecture(recipe, dataset, constants),
      data: dataset.train,
      key: lt.random.key(seed),
    };
  };
  /** A model of the run, to be asked. */
  const openSubject = async (task: Task, name: string, source: Subject): Promise<Opened> => {
    const { recipe } = task;
    const { dataset } = task.runData;
    if ('artifact' in source) {
      const { artifact, method } = source;
      const { model } = unbiased(task);
      const { predict } = preparedRecord(method);
      const answer: Answer = async (samples, sweep) =>
        logarithms(await predict(method.options, { model, artifact, samples, ...sweep }));
      return { subject: votingSubject(name, answer), release: () => {} };
    }
    const file = await openSafetensors(source.weights);
    const model = architecture(recipe, dataset, constantsOf(file, recipe, dataset));
    return opened(name, model, await fromFile(model, file, dataset.shape));
  };
  /** The model of a bank, and what it is trained on. */
  const bankModel = (kind: Bank['kind'], { recipe, runData }: Task): BankData => {
    const { dataset, retain } = runData;
    const retraining = kind === 'retrains';
    const statistics = retraining ? channelStatistics(retain) : dataset;
    const data = retraining ? retain : joinSplits(dataset.train, dataset.test);
    const model = architecture(recipe, dataset, constantsFor(recipe, statistics));
    return { model: model as Classifier, data };
  };
  /** What the audited method makes of a reference. */
  const unlearned = async (task: AuditTask, variables: Variables, forget: Split, retain: Split) => {
    const { method, runData, seed, signal } = task;
    const { name, label, options } = method as MethodEntry;
    const way = methodByName(name, table)?.(options) as Method;
    const { model } = bankModel('references', task);
    const key = lt.random.key(seed);
    try {
      const validation = runData.validation ?? undefined;
      const input = { model, variables, forget, retain, validation, key, signal };
      return opened(`reference after ${label}`, model, (await way.unlearn(input)).variables);
    } finally {
      key.dispose();
    }
  };
  const parts: Parts = {
    async open(name) {
      device = await lt.open({ device: name });
      return { ...device.info, backend: device.device, dtype: device.dtype };
    },

    load: loadRunData,

    draw: drawRunData,

    async train(task) {
      const { recipe, seed, options, signal, onProgress, checkpoint } = task;
      const { dataset } = task.runData;
      const constants = constantsFor(recipe, dataset);
      const model = architecture(recipe, dataset, constants);
      const key = lt.random.key(seed);
      const input = { model, data: dataset.train, options, key, signal, onProgress, checkpoint };
      const result = await task.timed(() => train(input));
      return outcomeOf(model, task, constants, result);
    },

    async unlearn(task) {
      const { recipe, seed, weights, signal, onProgress, checkpoint } = task;
      const { dataset, forget, retain, validation: held } = task.runData;
      const { name, options } = task.method;
      knownRecord(name);
      const way = methodByName(name, table)?.(options) as Method;
      const file = weights && (await openSafetensors(weights));
      // What starts from nothing owes nothing to the forgotten images; what starts from weights keeps their constants.
      const constants = file
        ? constantsOf(file, recipe, dataset)
        : constantsFor(recipe, channelStatistics(retain));
      const model = architecture(recipe, dataset, constants);
      const key = lt.random.key(seed);
      const variables = file ? await fromFile(model, file, dataset.shape) : freshWeights(model, dataset, key);
      try {
        const validation = held ?? undefined;
        const own = { model, variables, forget, retain, validation, key, updates: task.updates };
        const input = { ...own, signal, onProgress, checkpoint };
        const result = await task.timed(() => way.unlearn(input));
        return await outcomeOf(model, task, constants, result);
      } finally {
        disposeTree(variables);
      }
    },

    async record(task) {
      const { recipe, seed, method, options, artifact, signal, onProgress, checkpoint } = task;
      const { dataset, forget } = task.runData;
      const model = architecture(recipe, dataset, constantsFor(recipe, dataset));
      const most = knownRecord(method.name).updates?.(method.options as never)?.bytes;
      const hooks = [recordUpdates(artifact, { ids: forget.ids, most })];
      const key = lt.random.key(seed);
      // A record that is begun anew, as after damage, begins with its training.
      const begun = artifact.names().length > 0;
      const anew: CheckpointStore = {
        load: async () => null,
        save: (state) => checkpoint.save(state),
        due: () => checkpoint.due?.() ?? true,
      };
      const how = { options, key, hooks, signal, onProgress, checkpoint: begun ? checkpoint : anew };
      const input = { model, data: dataset.train, ...how };
      const { variables, cost } = await task.timed(() => train(input));
      disposeTree(variables);
      const stored = artifact.names('steps/');
      const bytes = stored.reduce((sum, name) => sum + artifact.ref(name).bytes, 0);
      return { cost, details: { steps: cost.gradientSteps, stored: stored.length, bytes } };
    },

    async prepare(task) {
      const { method, artifact, signal, onProgress } = task;
      const { model, data, key } = unbiased(task);
      const input = { model, data, key, artifact, signal, onProgress };
      return task.timed(() => preparedRecord(method).prepare(method.options, input));
    },

    async forget(task) {
      const { method, artifact, signal, onProgress } = task;
      const { model, data, key } = unbiased(task);
      const { ids } = task.runData.manifest;
      const input = { model, data, ids, key, artifact, signal, onProgress };
      return task.timed(() => preparedRecord(method).forget(method.options, input));
    },

    async evaluate(task) {
      const { subject, release } = await openSubject(task, 'evaluate', task);
      try {
        return await evaluationOf(task, subject);
      } finally {
        release();
      }
    },

    async bank(task) {
      const { kind, artifact } = task;
      await makeBank(kind, task, bankModel(kind, task), artifact);
    },

    async memorise(task) {
      const { artifact, signal, onProgress } = task;
      const runData = bankModel('references', task);
      const { references, trained, cost } = await makeBank('references', task, runData, artifact);
      await artifact.commit();
      const memorisation = await memorisationOf(references, runData.data, { signal, onProgress });
      return { memorisation, trained, cost };
    },

    async audit(task) {
      const { method, banks } = task;
      const others = await openBanks(banks, task, (kind) => bankModel(kind, task));
      const { references, retrains, retrained, variables } = others;
      const record = method && knownRecord(method.name);
      const runs =
        record?.startsFrom === 'original' && !record.prepare && !needsRecord(record, method?.options);
      const unlearn: AuditInput['unlearn'] = async (reference, forget, retain) => {
        const before = await variables(reference);
        try {
          return await unlearned(task, before, forget, retain);
        } finally {
          disposeTree(before);
        }
      };
      await makeAudits(task, {
        model: (name, source) => openSubject(task, name, source),
        retrained: async (place) =>
          opened(`retrain ${place + 2}`, bankModel('retrains', task).model, await retrained(place)),
        given: { references, retrains, ...(runs && references && { unlearn }) },
      });
    },

    async fit(recipe, { dataset }, weights) {
      const file = await openSafetensors(weights);
      const card = cardIn(file);
      if (card) checkCard(card, recipe, dataset);
      const constants = constantsOf(file, recipe, dataset);
      disposeTree(await fromFile(architecture(recipe, dataset, constants), file, dataset.shape));
      return { described: card !== null, constants };
    },

    needs(recipe, { dataset }, { name, options }) {
      const record = knownRecord(name);
      const model = () => architecture(recipe, dataset, constantsFor(recipe, dataset));
      return {
        original: record.startsFrom === 'original',
        preparation: record.prepare !== undefined || needsRecord(record, options),
        control: record.forgetStatistics(options) && hasState(model(), dataset),
      };
    },

    measure: (recipe, { dataset }) =>
      measureStep(architecture(recipe, dataset, constantsFor(recipe, dataset)), recipe, dataset),

    async render(results) {
      const { renderReport } = await import('../report/index.ts');
      return renderReport(results);
    },
  };
  const entered = Object.entries(parts).map(([name, part]) => [
    name,
    (...given: never[]) => here(() => (part as (...given: never[]) => unknown)(...given)),
  ]);
  // A device is opened outside of the one before it, which may have failed.
  return { ...(Object.fromEntries(entered) as Parts), open: parts.open };
}

/** Whether a method takes back updates of the original's training. */
const needsRecord = (record: MethodRecord, options: unknown): boolean =>
  (record.updates?.(options as never) ?? null) !== null;

/** Logarithms of shares. A share of 0 counts as the least number of float32, so that all stay finite. */
const logarithms = (shares: Float32Array): Float32Array =>
  shares.map((share) => Math.log(Math.max(share, 2 ** -126)));
