// `lethe report`: draws report.html again from results.json, or prints its table in another form. Reads no weights.

import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { LetheError } from '../../engine/error.ts';
import type { Results } from '../../unlearn/types.ts';
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
      const { loadResults } = await import('../../unlearn/run/results.ts');
      const results = await loadResults(path);
      const out = flags.out ?? (flags.format === 'html' ? join(dirname(path), 'report.html') : null);
      const report = await import('../../unlearn/report/index.ts');
      const forms = {
        html: report.renderReport,
        table: (given: Results) =>
          report.renderTable(given, out === null ? context.table(flags.wide) : { wide: flags.wide }),
        csv: report.toCsv,
        latex: report.toLatex,
        json: report.toJson,
      };
      const text = forms[flags.format](results);
      if (out === null) return context.put({ ...results, verdict: report.verdictOf(results) }, text);
      const { writeFileAtomic } = await import('../../unlearn/files.ts');
      await writeFileAtomic(out, text);
      context.put({ file: out }, out);
    },
  );
}
