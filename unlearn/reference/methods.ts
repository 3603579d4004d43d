// The table of docs/methods.md, made from the records.

import { methods } from '../methods/index.ts';
import type { MethodRecord } from '../methods/record.ts';
import { docOf } from '../options/fields.ts';
import { code, table } from './markdown.ts';

export const methodTables = (): Record<'methods', string> => ({
  methods: table(
    ['name', 'method', 'kind', 'what it does', 'tasks', 'from'],
    Object.values(methods).map((method) => {
      const { name, title, kind, tasks, options, paper }: MethodRecord = method.record;
      const link = `[${title}](methods/${name}.md)`;
      return [
        code(name),
        link,
        kind,
        docOf(options).about,
        tasks === 'any' ? 'any' : tasks.join(', '),
        paper,
      ];
    }),
  ),
});
