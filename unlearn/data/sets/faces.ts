// The face database of AT&T Laboratories Cambridge (Samaria, Harter 1994), also known as ORL.

import { section } from '../../options/fields.ts';
import type { FolderOptions } from '../readers/folder.ts';
import { inspectPictures, loadPictures, pictureOptions } from './pictures.ts';
import { defineDataset, subset } from './record.ts';

const folders = ['faces/att-orl', 'att-orl', 'faces'];

/** Half the size of the originals, and three pictures of each person for testing, unless told otherwise. */
const usual = (options: FolderOptions): FolderOptions => ({
  ...options,
  size: options.size ?? [56, 46],
  channels: options.channels ?? 1,
  testPerClass: options.testPerClass ?? (options.testRatio === undefined ? 3 : undefined),
});

export const faces = defineDataset({
  name: 'faces',
  title: 'AT&T faces',
  about: 'the AT&T/ORL faces: 40 people, 10 pictures each, grey, at 56x46; 3 of each for testing',
  options: section('The AT&T/ORL faces: 40 people, 10 pictures each.', { ...pictureOptions, ...subset }),
  people: true,
  files: '`faces/att-orl/s1/1.pgm`, ...',
  load: (options) => loadPictures('faces', folders, usual(options)),
  inspect: (options) => inspectPictures('faces', folders, usual(options)),
});
