// The audits of a plan: which are made of each cell, with which other models, each under a key of its own, the sha256 of all
// it depends on; and the banks of further models they need. Plain data.

import type { Need } from '../audits/record.ts';
import { auditTable } from '../recipe/options.ts';
import type { Seeds } from '../recipe/seeds.ts';
import type { AuditEntry, Recipe } from '../recipe.ts';
import type { AuditFinding } from '../types.ts';
import { hashOf } from './key.ts';

/** An audit of one cell. */
export interface CellAudit extends AuditEntry {
  readonly key: string;
}

/** Further models, kept in one artifact named like a cell. */
export interface Bank {
  readonly id: string;
  readonly key: string;
  readonly kind: 'references' | 'retrains';
  /** Whose forget set retrained models leave out. */
  readonly seeds: Seeds;
}

/** What is audited of a cell, and what with. */
export interface Audits {
  readonly entries: readonly CellAudit[];
  /** Ids of the cells it is compared with. */
  readonly original: string;
  /** Null where no retrained model was given, nor is to be trained. */
  readonly retrain: string | null;
  /** Ids of the cells that are further retrained models, in the place of a bank of them. */
  readonly retrains: readonly string[];
  readonly banks: readonly Bank[];
}

/** What an audit found, under its key. */
export type KeptFinding = AuditFinding & { readonly key: string };

type Keyed = { readonly id: string; readonly key: string };

/** What the audits of a cell depend on. */
interface Audited {
  readonly seeds: Seeds;
  /** Whether each forget seed draws a forget set of its own. */
  readonly drawn: boolean;
  readonly forget: unknown;
  /** What all weights depend on: data, architecture, device, version. */
  readonly base: object;
  readonly cell: Keyed;
  readonly original: Keyed;
  readonly retrain: Keyed | null;
  /** Further retrained models, where they were given. */
  readonly retrains?: readonly Keyed[];
  /** What cannot be had for these weights: audits that need it say so, and nothing is trained for them. */
  readonly lacks?: ReadonlySet<Need>;
}

/** The audits of a cell; null where the recipe asks for none. */
export function auditsOf(
  { audits, bank, train }: Recipe,
  { seeds, drawn, forget, base, cell, original, retrain, retrains = [], lacks = new Set() }: Audited,
): Audits | null {
  if (audits.length === 0) return null;
  const possible = audits.filter(
    ({ name }) => !auditTable[name].record.needs.some((need) => lacks.has(need)),
  );
  const needed = new Set(possible.flatMap(askedOf).filter((need) => !lacks.has(need)));
  const known: Partial<Record<Need, Bank>> = {};
  const draw = drawn ? `-${seeds.forget}` : '';
  if (needed.has('references') || needed.has('unlearn'))
    known.references = {
      id: 'bank-references',
      key: hashOf({ ...base, train, references: 2 * bank.pairs }),
      kind: 'references',
      seeds,
    };
  if (needed.has('retrains') && retrains.length === 0)
    known.retrains = {
      id: `bank-retrains${draw}`,
      key: hashOf({ ...base, train, forget, retrains: bank.retrains }),
      kind: 'retrains',
      seeds,
    };
  const keys: Partial<Record<Need, string>> = {
    original: original.key,
    retrain: retrain?.key,
    references: known.references?.key,
    retrains: retrains.length > 0 ? hashOf(retrains.map(({ key }) => key)) : known.retrains?.key,
  };
  const entries = audits.map((audit): CellAudit => {
    const { name, label, options } = audit;
    const others = askedOf(audit).map((need) => keys[need] ?? null);
    const key = hashOf({ cell: cell.key, forget, seed: seeds.train, name, options, others });
    return { name, label, options, key };
  });
  return {
    entries,
    original: original.id,
    retrain: retrain?.id ?? null,
    retrains: retrains.map(({ id }) => id),
    banks: Object.values(known),
  };
}

/** What an audit needs or uses. */
export function askedOf({ name }: AuditEntry): readonly Need[] {
  const { needs, uses } = auditTable[name].record;
  return [...needs, ...uses];
}

/** The banks that some of a cell's audits ask for. */
export function banksFor({ banks }: Audits, some: readonly AuditEntry[]): readonly Bank[] {
  const asked = new Set(some.flatMap(askedOf));
  return banks.filter(({ kind }) => asked.has(kind) || (kind === 'references' && asked.has('unlearn')));
}

/** The audits that are not made yet. */
export const openAudits = (
  audits: Audits | null,
  found: Readonly<Record<string, KeptFinding>> = {},
): readonly CellAudit[] => (audits?.entries ?? []).filter(({ label, key }) => found[label]?.key !== key);
