// The audits of one cell, as the workshop makes them: models opened as subjects, the sets they are asked about, one audit
// after the other. Which audits are made of which cell is audits.ts.

import { LetheError } from '../../engine/error.ts';
import type { Classifier, Model, Variables } from '../../engine/nn/types.ts';
import { unmeasured } from '../audits/attack.ts';
import type { AuditInput } from '../audits/record.ts';
import { networkSubject, type Subject } from '../audits/subject.ts';
import { auditTable } from '../recipe/options.ts';
import { reasonOf } from '../text.ts';
import { disposeTree } from '../train/feed.ts';
import { askedOf } from './audits.ts';
import type { AuditTask, Subject as Source } from './parts.ts';

/** A subject, and how to give its memory back. */
export interface Opened {
  readonly subject: Subject;
  release(): void;
}

/** What the workshop opens for audits. */
export interface Openers {
  /** A model of the run, under a name for messages. */
  readonly model: (name: string, source: Source) => Promise<Opened>;
  /** What banks hold, and the audited method on a reference, where it starts from weights. */
  readonly given: Pick<AuditInput, 'references' | 'retrains' | 'unlearn'>;
}

/**
 * Makes the audits, and tells each finding. What an audit cannot be made of is a finding, too, with the reason; other
 * errors end the work.
 */
export async function makeAudits(task: AuditTask, open: Openers): Promise<void> {
  const { audits, subjects, material, seed, signal, onProgress, onFinding } = task;
  const { forget, retain, kept, gone, manifest, dataset } = material;
  const opened: { release(): void }[] = [];
  const keep = async <T extends { release(): void }>(one: Promise<T>): Promise<T> => {
    const found = await one;
    opened.push(found);
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
    const retrains: Subject[] = [];
    for (const [i, source] of asked.has('retrains') ? subjects.retrains.entries() : [])
      retrains.push((await keep(open.model(`retrain ${i + 2}`, source))).subject);
    let now = 0;
    // One input for all: what several audits need is computed once for it.
    const input: AuditInput = {
      ...open.given,
      ...(retrains.length > 0 && { retrains }),
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
      const { record } = auditTable[name];
      const started = performance.now();
      const seconds = () => (performance.now() - started) / 1000;
      try {
        const finding = await auditTable[name](options).run(input);
        await onFinding(audit, { name, options, seconds: seconds(), ...finding });
      } catch (cause) {
        if (!(cause instanceof LetheError && cause.kind === 'value')) throw cause;
        const values = unmeasured(record.gives);
        await onFinding(audit, { name, options, seconds: seconds(), values, failed: reasonOf(cause) });
      }
    }
  } finally {
    for (const one of opened) one.release();
  }
}

/** A network as a subject; its weights are given back on release. */
export const opened = (name: string, model: Model, variables: Variables): Opened => ({
  // One that does not name its last layer has answers, and an error where features are asked for.
  subject: networkSubject(name, { model: model as Classifier, variables }),
  release: () => disposeTree(variables),
});
