// `lethe report`: draws report.html again from results.json, or prints its table in another form. Reads no weights.

import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { LetheError } from '../../engine/error.ts';
import type { TableOptions } from '../../unlearn/report/index.ts';
import type { Results, VariedResults } from '../../unlearn/types.ts';
import { define, type World } from '../context.ts';

interface Flags {
  readonly format: 'html' | 'table' | 'csv' | 'latex' | 'json';
  readonly out?: string;
  readonly wide?: boolean;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'report <results>',
    {
      summary: 'Draw the report again from results.json (or the folder that holds it), or print the table.',
      examples: [
        'lethe report lethe-out/demo',
        'lethe report lethe-out/demo --format table --wide',
        'lethe report lethe-out/demo --format csv > demo.csv',
        'lethe report results.json --out page.html',
      ],
    },
    (command) =>
      command
        .addOption(
          new Option('--format <form>', 'html, table, csv, latex or json')
            .choices(['html', 'table', 'csv', 'latex', 'json'])
            .default('html'),
        )
        .option(
          '--out <file>',
          'file to write; default for html: report.html beside the results; else stdout',
        )
        .option('--wide', 'the table with all columns'),
    async (context, [given], flags) => {
      // The table's data may be had as JSON; the other forms are data already.
      if (context.json && ['csv', 'latex', 'json'].includes(flags.format) && flags.out === undefined)
        throw new LetheError(
          'value',
          `--format ${flags.format} and --json both ask for stdout; expected one of them, or --out for the first`,
        );
      const path = existsSync(given) && statSync(given).isDirectory() ? join(given, 'results.json') : given;
      const { loadAny } = await import('../../unlearn/run/results.ts');
      const results = await loadAny(path);
      const out = flags.out ?? (flags.format === 'html' ? join(dirname(path), 'report.html') : null);
      const terminal = out === null ? context.table(flags.wide) : { wide: flags.wide };
      const { text, data } = await formOf(results, flags.format, terminal);
      if (out === null) return context.put(data, text);
      const { writeFileAtomic } = await import('../../unlearn/files.ts');
      await writeFileAtomic(out, text);
      context.put({ file: out }, out);
    },
  );
}

/** The results in a form: as text, and as data. @throws LetheError 'value' where they do not come in it. */
async function formOf(results: Results | VariedResults, format: Flags['format'], terminal: TableOptions) {
  const report = await import('../../unlearn/report/index.ts');
  if ('kind' in results) {
    if (format === 'latex')
      throw new LetheError(
        'value',
        '--format latex: these are several runs; expected html, table, csv or json, or the results of one of them',
      );
    const forms = {
      html: report.renderVaried,
      table: (given: VariedResults) => report.variedTable(given, terminal),
      csv: report.variedCsv,
      json: (given: VariedResults) => `${JSON.stringify(given, null, 2)}\n`,
    };
    return { text: forms[format](results), data: results };
  }
  const forms = {
    html: report.renderReport,
    table: (given: Results) => report.renderTable(given, terminal),
    csv: report.toCsv,
    latex: report.toLatex,
    json: report.toJson,
  };
  return { text: forms[format](results), data: { ...results, verdict: report.verdictOf(results) } };
}
