// The record of a cell on disk, cells/ID.json: what was made and what was measured of it, each under a sha256 of its
// own. What does not match its checksum, or is not of the form that is written here, is as good as not there: damaged
// metrics are measured again on weights that are still right, a damaged rest is made again.

import * as v from 'valibot';
import { isIo, isThere, readFileBounded, writeFileAtomic } from '../files.ts';
import { sha256 } from '../sha256.ts';
import { reasonOf } from '../text.ts';
import type { CellRecord } from './plan.ts';
import { auditsForm, madeForm, measuredForm } from './results.ts';

const MAX_BYTES = 64 * 2 ** 20;

interface FoundRecord {
  readonly record: CellRecord | null;
  /** What is wrong with the file, so that it is not, or not all, believed. */
  readonly flaw?: string;
}

export async function writeRecord(path: string, { evaluation, audits, ...made }: CellRecord): Promise<void> {
  const sealed = {
    ...seal(made),
    evaluation: evaluation && seal(evaluation),
    audits: audits && seal(audits),
  };
  await writeFileAtomic(path, JSON.stringify(sealed));
}

/** @throws LetheError 'io' where there is a file that cannot be read, or something that is no file. */
export async function readRecord(path: string): Promise<FoundRecord> {
  if (!(await isThere(path))) return { record: null };
  let found: Partial<CellRecord> | null;
  try {
    found = JSON.parse((await readFileBounded(path, MAX_BYTES)).toString('utf8'));
  } catch (cause) {
    if (isIo(cause)) throw cause;
    return { record: null, flaw: `its record cannot be read (${reasonOf(cause)})` };
  }
  const { evaluation, audits, ...rest } = found ?? {};
  const made = opened(rest);
  if (!made) return { record: null, flaw: 'its record does not match its checksum' };
  if (!v.is(madeForm, made)) return { record: null, flaw: 'its record is of another form' };
  const record = made as unknown as CellRecord;
  const evaluated = readPart('metrics', evaluation, measuredForm);
  const audited = readPart('audits', audits, auditsForm);
  const flaw = evaluated.flaw ?? audited.flaw;
  return {
    record: {
      ...record,
      ...(evaluated.part && { evaluation: evaluated.part as unknown as CellRecord['evaluation'] }),
      ...(audited.part && { audits: audited.part as CellRecord['audits'] }),
    },
    ...(flaw !== undefined && { flaw }),
  };
}

/** A part with a seal of its own, if it is there and whole. */
function readPart(what: string, sealed: unknown, form: v.GenericSchema) {
  if (sealed === undefined) return {};
  const part = opened(sealed);
  if (!part) return { flaw: `its ${what} do not match their checksum` };
  return v.is(form, part) ? { part } : { flaw: `its ${what} are of another form` };
}

const digest = (value: object) => sha256(JSON.stringify(value));

/** The value with the sha256 of it inside. */
const seal = (value: object) => ({ ...value, sha256: digest(value) });

/** A sealed value without its seal; null where it is none, or was changed. */
function opened(sealed: unknown): Record<string, unknown> | null {
  if (typeof sealed !== 'object' || sealed === null) return null;
  const { sha256: seal, ...value } = sealed as Record<string, unknown>;
  return seal === digest(value) ? value : null;
}
