// What the data sets of picture files have in common: their options, how they are read and how they are looked over.
// Not a data set.

import * as v from 'valibot';
import { bool, int, pair } from '../../options/fields.ts';
import type { FolderOptions } from '../readers/folder.ts';
import type { Inspection } from '../readers/inspect.ts';
import type { Loaded } from '../split.ts';
import { share } from './record.ts';

const channels = v.pipe(int('1 grey, 3 colour.', 1, 3), v.notValue(2, 'expected 1 or 3'));

export const pictureOptions = {
  size: v.optional(
    pair(int('Pixels.', 1, 4096), '[height, width] to resize to.', '[height, width] in pixels'),
  ),
  channels: v.optional(channels as v.GenericSchema<1 | 3>),
  testPerClass: v.optional(int('Test pictures of each class.', 1)),
  testRatio: v.optional(share('Share of each class held back for testing, instead of testPerClass.')),
  skipBad: v.optional(
    bool('Leave out pictures that cannot be read, and name them, instead of refusing them.'),
  ),
};

/** @param folders the names the top folder goes by; none where `dir` is that folder. */
export async function loadPictures(
  name: string,
  folders: readonly string[],
  options: FolderOptions,
): Promise<Loaded> {
  const { loadFolder } = await import('../readers/folder.ts');
  return loadFolder(name, folders, options);
}

export async function inspectPictures(
  name: string,
  folders: readonly string[],
  options: FolderOptions,
): Promise<Inspection> {
  const { findFolder } = await import('../readers/folder.ts');
  const { inspectFolder } = await import('../readers/inspect.ts');
  return inspectFolder(name, await findFolder(name, folders, options.dir), options);
}
