// The report's own script, as text: theme toggle, definitions on hover, sorting, filters and choice of rows, copying, and the
// drawings. It runs in the reader's browser from disk, reads the JSON block the renderer left, and touches no network.

import { CHARTING } from './client/charting.ts';
import { ENDING } from './client/ending.ts';
import { MARKS } from './client/marks.ts';
import { PAGE } from './client/page.ts';
import { PICTURES } from './client/pictures.ts';
import { STATE } from './client/state.ts';
import { UNPACK } from './client/unpack.ts';

export const CLIENT = `(() => {
'use strict';${PAGE}${UNPACK}${STATE}${MARKS}${CHARTING}${PICTURES}${ENDING}})();`;
