// docs/recipes.md, made from the schema itself, so that it cannot say anything else than what is checked.

import type * as v from 'valibot';
import { isMap } from '../json.ts';
import { docOf } from '../options/fields.ts';
import { auditOptions, datasetOptions, methodOptions, modelOptions } from '../recipe/options.ts';
import { recipeSchema } from '../recipe/schema.ts';

import { code, table } from './markdown.ts';

interface Field {
  readonly path: string;
  readonly expected: string;
  readonly fallback: string;
  readonly about: string;
}

/** The reference as Markdown. */
export function recipeReference(): string {
  return [
    '# Recipes',
    '',
    'A recipe is one YAML or JSON file that says all of an experiment: data, what to forget, network, training, methods,',
    'seeds. Keys that are not listed here are refused, with a suggestion; every value is checked before any work begins, and',
    'all that is wrong is told at once, with file, line and column.',
    'Single values can be overridden on the command line: `--set train.epochs=3`. An item of a list goes by its position or by its',
    'label: `--set methods.1.options.epsilon=0.05`, `--set methods.boundaryShrink.options.epsilon=0.05`.',
    'The recipe with every default filled in is stored in `results.json`.',
    '',
    'This page is made from the schema (`unlearn/recipe/`); `UPDATE_DOCS=1 npx vitest run test/unlearn/reference.test.ts`',
    'writes it again.',
    '',
    '## Keys',
    '',
    ...tableOf(fieldsOf(recipeSchema)),
    ...chapter('Methods', 'Under `methods: - name: ...`, `options:`', methodOptions),
    ...chapter('Networks', 'Under `model.options`', modelOptions),
    ...chapter('Audits', 'Under `audits: - name: ...`, `options:`', auditOptions),
    ...chapter('Data sets', 'Under `dataset.options`', datasetOptions),
  ].join('\n');
}

function chapter(title: string, where: string, table: Readonly<Record<string, v.GenericSchema>>): string[] {
  const parts = Object.entries(table).flatMap(([name, schema]) => {
    const fields = fieldsOf(schema);
    return [
      `### ${name}`,
      '',
      docOf(schema).about,
      '',
      ...(fields.length > 0 ? tableOf(fields) : ['No options.', '']),
    ];
  });
  return [`## ${title}`, '', `${where}.`, '', ...parts];
}

function tableOf(fields: readonly Field[]): string[] {
  const rows = fields.map(({ path, expected, fallback, about }) => [code(path), expected, fallback, about]);
  return [table(['key', 'value', 'default', ''], rows), ''];
}

type Schema = v.GenericSchema & {
  entries?: Record<string, v.GenericSchema>;
  item?: v.GenericSchema;
  wrapped?: v.GenericSchema;
  default?: unknown;
};

function fieldsOf(schema: v.GenericSchema, prefix = ''): Field[] {
  const { entries = {} } = schema as Schema;
  return Object.entries(entries).flatMap(([key, outer]) => {
    const optional = outer.type === 'optional';
    const inner = (optional ? (outer as Schema).wrapped : outer) as Schema;
    const { about, expected } = docOf(inner);
    const path = `${prefix}${key}`;
    const below = inner.entries ? fieldsOf(inner, `${path}.`) : itemFields(inner, path);
    const value = (outer as Schema).default;
    const plain = value !== undefined && !(isMap(value) && Object.keys(value as object).length === 0);
    const fallback = plain
      ? `\`${JSON.stringify(value)}\``
      : optional
        ? below.length > 0
          ? 'see below'
          : '-'
        : 'required';
    return [{ path, expected, fallback, about }, ...below];
  });
}

function itemFields(schema: Schema, path: string): Field[] {
  return schema.item && (schema.item as Schema).entries ? fieldsOf(schema.item, `${path}.N.`) : [];
}
