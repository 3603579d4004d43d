// The audits of one cell, as the default parts make them: models opened as subjects, the sets they are asked about, one audit
// after the other. Which audits are made of which cell is audits.ts.

import { LetheError } from '../../engine/error.ts';
import type { Classifier, Model, Variables } from '../../engine/nn/types.ts';
import { unmeasured } from '../audits/attack.ts';
import type { AuditInput, Finding } from '../audits/record.ts';
import { networkSubject, type Subject } from '../audits/subject.ts';
import { auditTable } from '../recipe/options.ts';
import type { AuditEntry } from '../recipe.ts';
import { reasonOf } from '../text.ts';
import { disposeTree } from '../train/feed.ts';
import type { AuditFinding } from '../types.ts';
import { askedOf } from './audits.ts';
import type { AuditTask, Subject as Source } from './parts.ts';

/** A subject, and how to give its memory back. */
export interface Opened {
  readonly subject: Subject;
  release(): void;
}

/** What the default parts open for audits. */
interface Openers {
  /** A model of the run, under a name for messages. */
  readonly model: (name: string, source: Source) => Promise<Opened>;
  /** The network of a further retrained model of a bank, by its place in `given.retrains`. */
  readonly retrained: (place: number) => Promise<Opened>;
  /** What banks hold, and the audited method on a reference, where it starts from weights. */
  readonly given: Pick<AuditInput, 'references' | 'retrains' | 'unlearn'>;
}

/** What an audit found, or why it could not be made. */
type Outcome = Pick<AuditFinding, 'failed'> & Finding;

/**
 * Makes the audits, and tells each finding. What an audit cannot be made of is a finding, too, with the reason; other
 * errors, and those of telling, end the work.
 */
export async function makeAudits(task: AuditTask, open: Openers): Promise<void> {
  const { audits, subjects, again, runData, seed, signal, onProgress, onFinding } = task;
  const { forget, retain, kept, gone, manifest, dataset } = runData;
  const held: { release(): void }[] = [];
  const keep = async <T extends { release(): void }>(one: Promise<T>): Promise<T> => {
    const found = await one;
    held.push(found);
    return found;
  };
  try {
    const asked = new Set(audits.flatMap(askedOf));
    const own = (await keep(open.model('own', subjects.own))).subject;
    const other = async (name: 'original' | 'retrain') => {
      const source = subjects[name];
      if (!asked.has(name) || !source) return undefined;
      return source === subjects.own ? own : (await keep(open.model(name, source))).subject;
    };
    const [original, retrain] = [await other('original'), await other('retrain')];
    const files: Subject[] = [];
    for (const [i, source] of asked.has('retrains') || again ? subjects.retrains.entries() : [])
      files.push((await keep(open.model(`retrain ${i + 2}`, source))).subject);
    const retrains = files.length > 0 ? files : (open.given.retrains ?? []);
    const repeat = (name: string) => (source: Source, i: number) =>
      lentTo(`${name} of seed ${i + 2}`, (as) => open.model(as, source));
    let now = 0;
    // One input for all: what several audits need is computed once for it.
    const input: AuditInput = {
      ...open.given,
      // The original is what forgetting nothing makes of itself.
      ...(subjects.own === subjects.original &&
        open.given.references && { unlearn: async ({ subject }) => ({ subject, release: () => {} }) }),
      ...(retrains.length > 0 && { retrains }),
      repeats: {
        own: subjects.repeats.own.map(repeat('own')),
        retrain: subjects.repeats.retrain.map(repeat('retrain')),
      },
      own,
      original,
      retrain,
      sets: { forget, retain, test: dataset.test, kept, gone },
      classes: dataset.classes.length,
      goneClasses: manifest.classes,
      seed,
      signal,
      onProgress: ({ fraction, ...progress }) =>
        onProgress({ ...progress, phase: audits[now].name, fraction: (now + fraction) / audits.length }),
    };
    for (const [i, audit] of audits.entries()) {
      now = i;
      const { name, options } = audit;
      const started = performance.now();
      const outcome = await made(audit, input);
      const seconds = (performance.now() - started) / 1000;
      const values: AuditFinding['values'][] = [];
      for (const place of again && outcome.failed === undefined ? retrains.keys() : []) {
        const whole = needsNetwork(audit) && retrains[place].network === null;
        const one = whole ? await open.retrained(place) : { subject: retrains[place], release: () => {} };
        try {
          values.push((await made(audit, inPlaceOf(input, place, one.subject))).values);
        } finally {
          one.release();
        }
      }
      await onFinding(audit, {
        name,
        options,
        seconds,
        ...outcome,
        ...(values.length > 0 && { again: values }),
      });
    }
  } finally {
    for (const one of held) one.release();
  }
}

/** Makes an audit; what it cannot be made of is an outcome. */
async function made({ name, options }: AuditEntry, input: AuditInput): Promise<Outcome> {
  try {
    return await auditTable[name](options).run(input);
  } catch (cause) {
    if (!(cause instanceof LetheError && cause.kind === 'value')) throw cause;
    return { values: unmeasured(auditTable[name].record.gives), failed: reasonOf(cause) };
  }
}

const needsNetwork = ({ name }: AuditEntry) => auditTable[name].record.needs.includes('network');

/** The same for a further retrained model in the place of the audited one, which is retrain and takes the other's place. */
function inPlaceOf(input: AuditInput, place: number, own: Subject): AuditInput {
  const { repeats: _, retrains = [], ...rest } = input;
  return { ...rest, own, retrain: own, retrains: retrains.map((one, i) => (i === place ? input.own : one)) };
}

/** A model that is opened while it answers: of many, one at a time is in memory. */
function lentTo(name: string, open: (name: string) => Promise<Opened>): Subject {
  const look = async <T>(work: (subject: Subject) => Promise<T>): Promise<T> => {
    const { subject, release } = await open(name);
    try {
      return await work(subject);
    } finally {
      release();
    }
  };
  return {
    name,
    network: null,
    hasFeatures: true,
    answers: (split, options) => look((subject) => subject.answers(split, options)),
    features: (split, options) => look((subject) => subject.features(split, options)),
  };
}

/** A network as a subject; its weights are given back on release. */
export const opened = (name: string, model: Model, variables: Variables): Opened => ({
  // One that does not name its last layer has answers, and an error where features are asked for.
  subject: networkSubject(name, { model: model as Classifier, variables }),
  release: () => disposeTree(variables),
});
