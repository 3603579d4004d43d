// Pictures of the user's own, in folders.

import { section } from '../../options/fields.ts';
import { inspectPictures, loadPictures, pictureOptions } from './pictures.ts';
import { defineDataset, dir, subset } from './record.ts';

export const folder = defineDataset({
  name: 'folder',
  title: 'Image folder',
  about: 'your pictures: one folder for each class or person (JPEG, PNG, WebP, GIF, BMP, PGM, PPM)',
  options: section('Your pictures: one folder for each class or person.', {
    dir,
    ...pictureOptions,
    ...subset,
  }),
  people: true,
  files: 'a folder for each class, pictures in it',
  load: (options) => loadPictures('folder', [], options),
  inspect: (options) => inspectPictures('folder', [], options),
});
