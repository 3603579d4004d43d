// The report: one HTML page, a terminal table, CSV, LaTeX and JSON, all from a Results object. Nothing here writes files.

export { toCsv, toJson, toLatex } from './exports.ts';
export type { ReportOptions } from './facts.ts';
export { renderReport } from './render.ts';
export { renderTable, type TableOptions } from './table.ts';
export { renderVaried, variedCsv, variedTable } from './varied/index.ts';
export { type Verdict, verdictOf } from './verdict.ts';
export { type Row, type View, viewOf } from './view.ts';
