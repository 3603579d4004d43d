// What bundlers for a browser put in the place of the modules that need files (`browser` in package.json): the names that
// others import of them, each of which says so when it is called.

import { LetheError } from '../engine/error.ts';

const refuse = (what: string) => (): never => {
  throw new LetheError('io', `${what} needs files: it works in Node, not in a browser`);
};
const refuseLater = (what: string) => async (): Promise<never> => refuse(what)();

export const cardOfFile: typeof import('./predict-files.ts').cardOfFile = refuseLater('cardOfFile');
export const folderStore: typeof import('./artifact-folder.ts').folderStore = refuse('folderStore');
export const loadManifest: typeof import('./data/readers/manifest.ts').loadManifest =
  refuseLater('loadManifest');
export const memorise: typeof import('./run/memorise.ts').memorise = refuseLater('memorise');
export const predictFiles: typeof import('./predict-files.ts').predictFiles = refuseLater('predictFiles');
export const run: typeof import('./run.ts').run = refuseLater('run');
export const runVaried: typeof import('./run/varied.ts').runVaried = refuseLater('runVaried');
export const loadScores: typeof import('./data/readers/scores.ts').loadScores = refuseLater('loadScores');
export const saveManifest: typeof import('./data/readers/manifest.ts').saveManifest =
  refuseLater('saveManifest');

// What the data sets are read with.
const data = refuseLater('a data set other than glyphs');
export const checkFiles: typeof import('./data/readers/checksums.ts').checkFiles = data;
export const getRemote: typeof import('./data/readers/download.ts').getRemote = refuseLater('datasets.get');
export const loadCifar: typeof import('./data/readers/cifar.ts').loadCifar = data;
export const loadCsv: typeof import('./data/readers/csv.ts').loadCsv = data;
export const loadFolder: typeof import('./data/readers/folder.ts').loadFolder = data;
export const findFolder: typeof import('./data/readers/folder.ts').findFolder = data;
export const loadIdx: typeof import('./data/readers/idx.ts').loadIdx = data;
export const loadOwnIdx: typeof import('./data/readers/idx.ts').loadOwnIdx = data;
export const inspectFolder: typeof import('./data/readers/inspect.ts').inspectFolder = data;
