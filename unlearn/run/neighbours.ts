// What runs in other folders have finished and this run is to make: the same key is the same work, so it is taken over, weights
// and artifacts first, the record that names them last. Which of its metrics and audits count here too is decided by their own
// keys. Nothing in the other folders is changed.

import { basename } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import { Artifact } from '../artifact.ts';
import { folderStore, removeArtifact } from '../artifact-folder.ts';
import { isThere, unchanged, writeFileAtomic } from '../files.ts';
import { reasonOf } from '../text.ts';
import { banksFor, openAudits } from './audits.ts';
import type { RunEvent } from './log.ts';
import { openArtifact } from './output.ts';
import {
  artifactFolder,
  type Cell,
  type CellRecord,
  type PlannedCell,
  recordFile,
  weightsFile,
} from './plan.ts';
import { readRecord, writeRecord } from './record.ts';

/** Where work is taken from and to. */
interface Taking {
  /** The folder of the run, locked by it. */
  readonly out: string;
  /** Folders of other runs. */
  readonly neighbours: readonly string[];
  readonly signal?: AbortSignal;
  readonly tell: (event: RunEvent) => void;
}

type Named = Pick<Cell, 'id' | 'key'>;

/**
 * Takes over what neighbours have finished of a plan.
 * @returns whether anything was: then what is there has to be looked at again.
 */
export async function takeOver(plan: readonly PlannedCell[], taking: Taking): Promise<boolean> {
  const { out, neighbours, tell } = taking;
  if (neighbours.length === 0) return false;
  let any = false;
  /** Tries one neighbour after the other. */
  const from = async (what: string, take: (neighbour: string) => Promise<boolean>): Promise<void> => {
    for (const neighbour of neighbours) {
      const place = basename(neighbour);
      try {
        if (!(await take(neighbour))) continue;
        tell({ type: 'note', level: 'info', message: `${what}: taken over from ${place}` });
        any = true;
        return;
      } catch (cause) {
        // What is damaged there is made here.
        if (!(cause instanceof LetheError && cause.kind === 'data')) throw cause;
        tell({
          type: 'note',
          level: 'warning',
          message: `${what}: not taken over from ${place}: ${reasonOf(cause)}`,
        });
      }
    }
  };
  const prepared = new Set<string>();
  for (const cell of plan) {
    // What is given is taken from its file, and what only measures another cell's weights has none.
    if (cell.record || cell.given || cell.weights !== cell.id) continue;
    // First what comes first: a cell that is there is not looked at again.
    const before = cell.prepared;
    if (before && !cell.isPrepared && !prepared.has(before.id)) {
      prepared.add(before.id);
      await from(before.id, (neighbour) => takeCell(neighbour, before, taking));
    }
    await from(cell.id, (neighbour) => takeCell(neighbour, cell, taking, measuredAs(cell)));
  }
  const banks = plan.flatMap(({ audits, record }) =>
    audits ? banksFor(audits, openAudits(audits, record?.audits)) : [],
  );
  for (const bank of new Map(banks.map((one) => [one.id, one])).values()) {
    const own = await keyOf(out, bank);
    if (own !== bank.key)
      await from(bank.id, async (neighbour) => {
        if ((await keyOf(neighbour, bank)) !== bank.key) return false;
        await takeArtifact(neighbour, bank, out);
        return true;
      });
  }
  return any;
}

/** Of a trial nothing is left but what it was measured as: that has to be asked for here too. */
const measuredAs =
  ({ trial, evaluationKey }: Cell) =>
  ({ weights, evaluation, failed }: CellRecord): boolean =>
    !trial || weights !== undefined || failed !== undefined || evaluation?.key === evaluationKey;

/** Takes a cell, or what its method prepared; false where it is not there. */
async function takeCell(
  neighbour: string,
  made: Named,
  { out, signal }: Taking,
  counts: (record: CellRecord) => boolean = () => true,
): Promise<boolean> {
  const { record } = await readRecord(recordFile(neighbour, made));
  if (record?.key !== made.key || !counts(record)) return false;
  if (record.weights !== undefined) {
    const weights = weightsFile(neighbour, made);
    if (!(await isThere(weights))) return false;
    await writeFileAtomic(weightsFile(out, made), unchanged(weights, record.weights, signal));
  }
  if (record.artifact === undefined) await removeArtifact(artifactFolder(out, made));
  else await takeArtifact(neighbour, made, out, record.artifact);
  await writeRecord(recordFile(out, made), record);
  return true;
}

/** Files are shared where the disk can; each is read and compared with its sha256 before. */
async function takeArtifact(neighbour: string, made: Named, out: string, digest?: string): Promise<void> {
  const found = await openArtifact(neighbour, made);
  if (digest !== undefined && found.digest() !== digest)
    throw new LetheError('data', 'its artifact is not the one recorded');
  await found.verify();
  await (await found.fork(folderStore(artifactFolder(out, made)))).commit();
}

/** The key of a committed artifact; null where there is none that can be read. */
async function keyOf(folder: string, made: Pick<Named, 'id'>): Promise<string | null> {
  try {
    return (await Artifact.find(folderStore(artifactFolder(folder, made))))?.key ?? null;
  } catch (cause) {
    if (cause instanceof LetheError && cause.kind === 'data') return null;
    throw cause;
  }
}
