// Ten drawn symbols: the data set of a fresh machine. The drawing is data/glyphs.ts; nothing here or there needs Node.

import * as v from 'valibot';
import { int, section } from '../../options/fields.ts';
import { GLYPHS_AT_MOST, loadGlyphs } from '../glyphs.ts';
import { defineDataset } from './record.ts';

export const glyphs = defineDataset({
  name: 'glyphs',
  title: 'Glyphs',
  about: 'ten drawn symbols, 32x32 colour, 4,000 + 1,000 unless told otherwise: needs no files',
  options: section('Drawn by Lethe from a seed: 32x32 colour, ten classes. Needs no files.', {
    trainSize: v.optional(int('Training images.', 1, GLYPHS_AT_MOST), 4000),
    testSize: v.optional(int('Test images.', 1, GLYPHS_AT_MOST), 1000),
    seed: v.optional(int('Seed of the drawing.'), 0),
  }),
  people: false,
  files: null,
  load: loadGlyphs,
});
