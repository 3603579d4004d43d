// Where a step of a run puts what it makes: weights into checkpoints/ID.safetensors, further files into the artifact
// checkpoints/ID/. It counts once the record that names it is written.

import { check } from '../../engine/error.ts';
import { Artifact, type Content } from '../artifact.ts';
import { folderStore, removeArtifact } from '../artifact-folder.ts';
import { isIo, removeFile, writeFileAtomic } from '../files.ts';
import { hashed } from '../sha256.ts';
import { reasonOf } from '../text.ts';
import type { Output } from './parts.ts';
import { artifactFolder, type Cell, type CellRecord, weightsFile } from './plan.ts';

export class FolderOutput implements Output {
  #weights: string | undefined;
  #artifact: Artifact | undefined;

  constructor(
    readonly out: string,
    readonly cell: Pick<Cell, 'id' | 'key' | 'label'>,
  ) {}

  async weights(given: Parameters<Output['weights']>[0]): Promise<void> {
    const { parts, digest } = hashed(given);
    check(this.#weights === undefined, 'state', () => `${this.cell.id}: its weights were written already`);
    await writeFileAtomic(weightsFile(this.out, this.cell), parts);
    this.#weights = digest().sha256;
  }

  async put(name: string, content: Content): Promise<void> {
    const { key, label } = this.cell;
    this.#artifact ??= Artifact.create(folderStore(this.#folder), { method: label, key });
    await this.#artifact.put(name, content);
  }

  /** Makes it last, and says what the record is to name. Files of an earlier result that has other ones are removed. */
  async close(): Promise<Pick<CellRecord, 'weights' | 'artifact'>> {
    check(this.#weights !== undefined, 'state', () => `${this.cell.id}: no weights were made`);
    if (this.#artifact) await this.#artifact.commit();
    else await removeArtifact(this.#folder);
    return { weights: this.#weights, artifact: this.#artifact?.digest() };
  }

  get #folder(): string {
    return artifactFolder(this.out, this.cell);
  }
}

/** Removes what a cell left, its record aside. */
export async function removeWeights(out: string, cell: { readonly id: string }): Promise<void> {
  await removeFile(weightsFile(out, cell));
  await removeArtifact(artifactFolder(out, cell));
}

/** The artifact of a cell. @throws LetheError 'data' where it is not there or damaged. */
export const openArtifact = (out: string, cell: { readonly id: string }): Promise<Artifact> =>
  Artifact.open(folderStore(artifactFolder(out, cell)));

interface Beginning {
  /** Name of the method. */
  readonly method: string;
  /** The cell whose artifact it is to be a copy of; null for an empty one. */
  readonly from: { readonly id: string } | null;
  readonly warn: (message: string) => void;
}

/** The artifact of a cell: what an earlier process left of the same work, if it is whole, else a new one. */
export async function takeUp(
  out: string,
  { id, key }: Pick<Cell, 'id' | 'key'>,
  { method, from, warn }: Beginning,
): Promise<Artifact> {
  const store = folderStore(artifactFolder(out, { id }));
  try {
    const found = await Artifact.find(store);
    if (found?.key === key) {
      await found.verify();
      return found;
    }
  } catch (cause) {
    if (isIo(cause)) throw cause;
    warn(`begun anew: ${reasonOf(cause)}`);
  }
  return from
    ? (await openArtifact(out, from)).fork(store, { key })
    : Artifact.create(store, { method, key });
}
