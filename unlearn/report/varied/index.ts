// The report of several runs: digest, page, terminal table and CSV. Nothing here writes files.

export { digestOf, notMade } from './digest.ts';
export { renderVaried } from './page.ts';
export { variedCsv, variedTable } from './text.ts';
