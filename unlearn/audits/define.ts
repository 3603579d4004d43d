// What all audits share around their own computation: options checked when one is made, and what it needs when it runs.

import { check } from '../../engine/error.ts';
import { completeOptions } from '../options/complete.ts';
import type { OptionsOf, OptionsSection } from '../options/fields.ts';
import type { Audit, AuditInput, AuditRecord, MakeAudit, Need } from './record.ts';

const NEEDED: Readonly<Record<Need, string>> = {
  network: 'a single network',
  original: 'the original model',
  retrain: 'a retrained model',
  retrains: 'retrained models of other seeds',
  repeats: 'the same rows of other seeds',
  references: 'reference models',
  unlearn: 'the method, to run it on reference models',
};

/** Why an audit cannot be made of this; null where it can. */
function unfit({ tasks, needs, uses }: AuditRecord, input: AuditInput): string | null {
  const kind = input.goneClasses.length > 0 ? 'class' : 'samples';
  if (tasks !== 'any' && tasks !== kind)
    return `is for forgotten ${tasks === 'class' ? 'classes' : 'samples'}, and ${kind === 'class' ? 'classes' : 'samples'} were forgotten`;
  const has = (need: Need): boolean => {
    if (need === 'network') return input.own.network !== null;
    // Retraining needs no run on references: what it leaves are retrained models (worlds.ts), for audits that take these.
    if (
      need === 'unlearn' &&
      uses.includes('retrains') &&
      input.own === input.retrain &&
      input.retrains?.length
    )
      return true;
    const given = input[need];
    return Array.isArray(given) ? given.length > 0 : given !== undefined;
  };
  const missing = needs.filter((need) => !has(need)).map((need) => NEEDED[need]);
  return missing.length > 0 ? `needs ${missing.join(' and ')}` : null;
}

/**
 * An audit from its record. What all share is added: options are checked and completed, and what is needed is asked for.
 * @throws LetheError 'value', when the audit is made with options that are unknown or out of range.
 */
export function defineAudit<S extends OptionsSection, Gives extends string, const Name extends string>(
  record: AuditRecord<S, Gives, Name>,
): MakeAudit<S, Gives, Name> {
  const { name } = record;
  const general = record as unknown as AuditRecord;
  const make = (stated?: object): Audit<OptionsOf<S>, Gives> => {
    const options = completeOptions<OptionsOf<S>>(name, record.options, stated);
    return {
      name,
      options,
      record: general,
      async run(input) {
        input.signal?.throwIfAborted();
        const reason = unfit(general, input);
        check(reason === null, 'value', () => `${name}: ${reason}`);
        check(input.sets.forget.size > 0, 'value', () => `${name}: nothing was forgotten`);
        return record.audit(options, input);
      },
    };
  };
  return Object.assign(make, { record });
}
