// What is there already of a plan: for each cell the record, if all it names is there and whole. Reads only.

import { join } from 'node:path';
import { Artifact } from '../artifact.ts';
import { folderStore, MANIFEST } from '../artifact-folder.ts';
import { isIo, isThere, sha256File } from '../files.ts';
import { reasonOf } from '../text.ts';
import { openAudits } from './audits.ts';
import {
  artifactFolder,
  type Cell,
  type CellRecord,
  type CellState,
  type PlannedCell,
  progressFile,
  recordFile,
  weightsFile,
} from './plan.ts';
import { readRecord } from './record.ts';

/** What is already there of each cell. Reads only. */
export async function inspectCells(out: string, cells: readonly Cell[]): Promise<PlannedCell[]> {
  const planned: PlannedCell[] = [];
  for (const cell of cells) planned.push({ ...cell, ...(await inspect(out, cell)) });
  return planned;
}

type Inspection = Pick<PlannedCell, 'state' | 'record' | 'flaw' | 'isPrepared'>;

async function inspect(out: string, cell: Cell): Promise<Inspection> {
  if (cell.weights !== cell.id) return inspectMeasured(out, cell);
  const isPrepared = cell.prepared !== null && (await find(out, cell.prepared)).record !== null;
  const { record, flaw, there } = await find(out, cell);
  if (there === 'other') return { state: 'replace', record: null, isPrepared };
  const begun = (await isThere(progressFile(out, cell))) || (await isBegun(out, cell));
  if (!record) return { state: begun ? 'resume' : 'todo', record, flaw, isPrepared };
  const measured =
    cell.judge === null || record.failed !== undefined || record.evaluation?.key === cell.evaluationKey;
  // A trial's weights are gone once it is measured: to measure it otherwise it is made again.
  if (cell.trial && !measured && record.weights === undefined)
    return { state: 'todo', record: null, flaw, isPrepared };
  return { state: measured ? stateOfAudits(cell, record) : 'evaluate', record, flaw, isPrepared };
}

/** Of a cell that is measured. */
const stateOfAudits = ({ audits }: Cell, record: CellRecord | null): CellState =>
  openAudits(audits, record?.audits).length > 0 ? 'audit' : 'done';

/** A cell that only measures the weights of another. */
async function inspectMeasured(out: string, cell: Cell): Promise<Inspection> {
  const { record, flaw } = await readRecord(recordFile(out, cell));
  const own = record?.key === cell.key ? record : null;
  const done = own?.evaluation?.key === cell.evaluationKey;
  return { state: done ? stateOfAudits(cell, own) : 'evaluate', record: own, flaw, isPrepared: false };
}

/** Whether a preparation, or what was to become of it, was begun. */
async function isBegun(out: string, cell: Cell): Promise<boolean> {
  if (!cell.prepared) return false;
  for (const { id, key } of [cell.prepared, cell]) {
    const { artifact } = await readArtifact(artifactFolder(out, { id }));
    if (artifact?.key === key) return true;
  }
  return false;
}

/** The record of finished work, if all it names is there and whole; `other` where there is finished work of another key. */
async function find(out: string, cell: Pick<Cell, 'id' | 'key'>) {
  const [weights, artifact] = [weightsFile(out, cell), artifactFolder(out, cell)];
  const there = (await isThere(weights)) || (await isThere(join(artifact, MANIFEST)));
  const { record, flaw } = await readRecord(recordFile(out, cell));
  // A record that names no files, as that of a trial, is all there is of its result.
  const alone = record?.weights === undefined && record?.artifact === undefined;
  if (record && record.key !== cell.key)
    return { record: null, flaw, there: there || alone ? 'other' : null };
  if (!record) return { record, flaw };
  const wrong =
    (record.weights !== undefined && (await flawOfWeights(weights, record.weights))) ||
    (record.artifact !== undefined && (await flawOfArtifact(artifact, record.artifact)));
  return wrong ? { record: null, flaw: wrong } : { record, flaw };
}

async function flawOfWeights(path: string, sha256: string): Promise<string | null> {
  if (!(await isThere(path))) return 'its weights are gone';
  return (await sha256File(path)) === sha256 ? null : 'its weights are not the ones recorded';
}

async function flawOfArtifact(path: string, digest: string): Promise<string | null> {
  const { artifact, flaw } = await readArtifact(path, (found) => found.verify());
  if (flaw) return flaw;
  if (!artifact) return 'its artifact is gone';
  return artifact.digest() === digest ? null : 'its artifact is not the one recorded';
}

/** The artifact in a folder, null where there is none; or what is wrong with it. */
async function readArtifact(path: string, look = async (_: Artifact): Promise<void> => {}) {
  try {
    const artifact = await Artifact.find(folderStore(path));
    if (artifact) await look(artifact);
    return { artifact };
  } catch (cause) {
    if (isIo(cause)) throw cause;
    return { artifact: null, flaw: `its artifact is damaged (${reasonOf(cause)})` };
  }
}
