// The tables of docs/audits.md, made from the records.

import type { AuditRecord, Figure, Need } from '../audits/record.ts';
import { auditTable } from '../recipe/options.ts';
import { code, table } from './markdown.ts';

const NEEDS: Readonly<Record<Need, string>> = {
  network: 'the network',
  original: 'the original',
  retrain: 'the retrained model',
  retrains: 'more retrained models',
  repeats: 'the same rows of other seeds',
  references: 'reference models',
  unlearn: 'reference models that unlearn',
};
const TASKS: Readonly<Record<AuditRecord['tasks'], string>> = {
  any: 'classes and samples',
  class: 'classes',
  samples: 'samples',
};
const listed = (needs: readonly Need[]): string => needs.map((need) => NEEDS[need]).join(', ') || 'answers';

/** Markdown tables by the name that the page gives them. */
export function auditTables(): Record<'audits' | 'formulas' | 'fools' | 'figures', string> {
  const all = Object.values(auditTable).map(({ record }) => record);
  return {
    audits: table(
      ['Audit', 'Name', 'What it does', 'For forgotten', 'Needs', 'Uses where it is there'],
      all.map((r) => [
        code(r.name),
        r.title,
        r.definition,
        TASKS[r.tasks],
        listed(r.needs),
        r.uses.length > 0 ? listed(r.uses) : '',
      ]),
    ),
    formulas: table(
      ['Audit', 'Formula', 'Source'],
      all.map((r) => [code(r.name), r.formula, r.source]),
    ),
    fools: table(
      ['Audit', 'What fools it', 'How sure it is', 'Cost'],
      all.map((r) => [code(r.name), r.fools, r.certainty, r.cost]),
    ),
    figures: table(
      ['Number', 'Of', 'Column', 'Unit', 'Good', 'What it is'],
      all.flatMap((r) =>
        Object.entries(r.gives).map(([key, figure]) => [
          code(key),
          code(r.name),
          figure.label,
          figure.unit,
          good(figure),
          figure.about,
        ]),
      ),
    ),
  };
}

const good = ({ target }: Figure): string =>
  target === null ? '' : target === 'retrain' ? 'retrain’s value' : target;
