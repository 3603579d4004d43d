// Tables of the docs that are made from records, and where they stand in a page: between `<!-- table: NAME -->` and
// `<!-- end -->`. test/unlearn/reference.test.ts compares the pages with them, and rewrites them when UPDATE_DOCS is set.

export const code = (name: string) => `\`${name}\``;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/**
 * The page with its tables made anew.
 * @throws Error where the page lacks one of them.
 */
export function withTables(page: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, made]) => {
    const [begin, end] = [`<!-- table: ${name} -->\n\n`, '\n\n<!-- end -->'];
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end, from);
    if (from < begin.length || to < 0)
      throw new Error(`the page has no table between "${begin.trim()}" and "${end.trim()}"`);
    return `${text.slice(0, from)}${made}${text.slice(to)}`;
  }, page);
}
