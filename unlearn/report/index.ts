// The report: one HTML page, a terminal table, CSV and LaTeX, all from a Results object. Nothing here writes files.

export { DEFINITIONS, type Definition, displayName } from './definitions.ts';
export type { ReportOptions } from './facts.ts';
export { renderReport } from './render.ts';
export { renderTable, type TableOptions, toCsv, toLatex } from './text.ts';
export { type Row, type View, viewOf } from './view.ts';
