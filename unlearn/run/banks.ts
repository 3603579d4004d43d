// The banks of a run: which models they hold, and what those are trained on (bank.ts trains and keeps them).

import type { Classifier, Variables } from '../../engine/nn/types.ts';
import type { Artifact } from '../artifact.ts';
import type { AuditInput, Reference } from '../audits/record.ts';
import { type BankInput, bankOf, type PlannedModel, referencePlan } from '../bank.ts';
import type { Split } from '../types.ts';
import type { Bank } from './audits.ts';
import type { Task } from './parts.ts';

/** The model of a bank, and what it is trained on. */
export interface BankData {
  readonly model: Classifier;
  readonly data: Split;
}
type Kind = Bank['kind'];
type Given = Pick<Task, 'recipe' | 'runData' | 'signal'> & { readonly onProgress?: Task['onProgress'] };

/** Of all models in banks: none of the seeds of a recipe, which are below it. */
const SEED = 2 ** 40;

/** Trains what is missing of a bank. */
export const makeBank = (kind: Kind, task: Given, runData: BankData, artifact: Artifact) =>
  bankOf(inputOf(kind, task, runData, artifact));

function inputOf(
  kind: Kind,
  { recipe, runData, signal, onProgress }: Given,
  { model, data }: BankData,
  artifact: Artifact,
): BankInput {
  const { dataset } = runData;
  const { bank, train: options } = recipe;
  const plan =
    kind === 'references'
      ? referencePlan([dataset.train, dataset.test], 2 * bank.pairs, SEED)
      : Array.from({ length: bank.retrains }, (_, i): PlannedModel => {
          return { seed: SEED + i, members: new Uint8Array(data.size).fill(1) };
        });
  return { model, data, plan, options, artifact, signal, onProgress };
}

/** What audits get of banks. */
interface OpenBanks extends Pick<AuditInput, 'references' | 'retrains'> {
  /** Weights of a further retrained model, by its place; the caller's to dispose. */
  retrained(place: number): Promise<Variables>;
  /** The weights of a reference; the caller's to dispose. */
  variables(reference: Reference): Promise<Variables>;
}

/** Opens banks whose models are there; audits are told nothing of progress here. */
export async function openBanks(
  banks: Readonly<Partial<Record<Kind, Artifact>>>,
  task: Given,
  runDataOf: (kind: Kind) => BankData,
): Promise<OpenBanks> {
  const { recipe, runData, signal } = task;
  const open = async (kind: Kind) => {
    const artifact = banks[kind];
    return artifact && makeBank(kind, { recipe, runData, signal }, runDataOf(kind), artifact);
  };
  const [references, retrains] = [await open('references'), await open('retrains')];
  return {
    references: references?.references,
    retrains: retrains?.references.map(({ subject }) => subject),
    retrained: (place) => (retrains as NonNullable<typeof retrains>).variables(place),
    variables: (reference) =>
      (references as NonNullable<typeof references>).variables(
        (references as NonNullable<typeof references>).references.indexOf(reference),
      ),
  };
}
