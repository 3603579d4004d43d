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
  /** Ids of the cells of other training seeds and the same forget set, where an audit asks for them. */
  readonly repeats: { readonly own: readonly string[]; readonly retrain: readonly string[] };
  /** Whether each audit is also made of the further retrained models: their spread is that of retrain. */
  readonly again: boolean;
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
  /** Cells of other training seeds and the same forget set: of the same label, and retrained. */
  readonly repeats?: { readonly own: readonly Keyed[]; readonly retrain: readonly Keyed[] };
  /** The run has one training seed, so that rows of retrain have no spread. */
  readonly single: boolean;
  /** What cannot be had for these weights: audits that need it say so, and nothing is trained for them. */
  readonly lacks?: ReadonlySet<Need>;
}

/** The audits of a cell; null where the recipe asks for none. */
export function auditsOf({ audits, bank, train }: Recipe, audited: Audited): Audits | null {
  if (audits.length === 0) return null;
  const { seeds, drawn, forget, base, cell, original, retrain, single } = audited;
  const { retrains = [], repeats = { own: [], retrain: [] }, lacks = new Set() } = audited;
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
  const furtherKey = retrains.length > 0 ? hashOf(retrains.map(({ key }) => key)) : known.retrains?.key;
  const asked = needed.has('repeats') ? repeats : { own: [], retrain: [] };
  const keys: Partial<Record<Need, string>> = {
    original: original.key,
    retrain: retrain?.key,
    references: known.references?.key,
    retrains: furtherKey,
    repeats: hashOf([asked.own, asked.retrain].map((cells) => cells.map(({ key }) => key))),
  };
  // Nothing is trained for it alone.
  const again = single && cell.id === retrain?.id && furtherKey !== undefined;
  const entries = audits.map((audit): CellAudit => {
    const { name, label, options } = audit;
    const others = askedOf(audit).map((need) => keys[need] ?? null);
    const key = hashOf({
      cell: cell.key,
      forget,
      seed: seeds.train,
      name,
      options,
      others,
      ...(again && { again: furtherKey }),
    });
    return { name, label, options, key };
  });
  return {
    entries,
    original: original.id,
    retrain: retrain?.id ?? null,
    retrains: retrains.map(({ id }) => id),
    repeats: { own: asked.own.map(({ id }) => id), retrain: asked.retrain.map(({ id }) => id) },
    again,
    banks: Object.values(known),
  };
}

/** What an audit needs or uses. */
export function askedOf({ name }: AuditEntry): readonly Need[] {
  const { needs, uses } = auditTable[name].record;
  return [...needs, ...uses];
}

/** The banks that some of a cell's audits ask for. */
export function banksFor({ banks, again }: Audits, some: readonly AuditEntry[]): readonly Bank[] {
  const asked = new Set(some.flatMap(askedOf));
  if (asked.has('unlearn')) asked.add('references');
  if (again && some.length > 0) asked.add('retrains');
  return banks.filter(({ kind }) => asked.has(kind));
}

/** The audits that are not made yet. */
export const openAudits = (
  audits: Audits | null,
  found: Readonly<Record<string, KeptFinding>> = {},
): readonly CellAudit[] => (audits?.entries ?? []).filter(({ label, key }) => found[label]?.key !== key);
