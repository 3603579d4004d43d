// The page's script, last part, as text: it starts the page, copies what is asked for, and gets ready for paper.

export const ENDING = `
toggle.hidden = false;
toggle.addEventListener('click', () => { root.dataset.theme = theme() === 'dark' ? 'light' : 'dark'; remember(root.dataset.theme); name(); draw(); });
dark.addEventListener('change', () => { name(); draw(); });
matchMedia('(max-width: 720px)').addEventListener('change', draw);
name();
restore();
unpack().catch(failed);

/* The table as the reader has sorted and filtered it. */
const field = (value) => {
  if (typeof value !== 'string') return value === undefined ? '' : String(value);
  const safe = /^[=+@\\t\\r-]/.test(value) ? "'" + value : value;
  return /[",\\r\\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
};
const makes = {
  json: () => JSON.stringify({ columns: table.columns, rows: listed().map((r) => table.rows[r]) }, null, 2),
  csv() {
    const some = (key) => kinds.filter((kind) => table.rows.some((row) => row.cells[key] && kind in row.cells[key]));
    const heads = table.columns.flatMap(({ key }) => some(key).map((kind) => [key, kind]));
    const lines = listed().map((r) => {
      const { method, seeds, flags, cells } = table.rows[r];
      return [method, seeds, flags.join(' '), ...heads.map(([key, kind]) => (cells[key] && cells[key].measurable !== false ? cells[key][kind] : undefined))];
    });
    const head = ['method', 'seeds', 'flags', ...heads.map(([key, kind]) => (kind === 'mean' ? key : key + '_' + kind))];
    return [head, ...lines].map((line) => line.map(field).join(',') + '\\r\\n').join('');
  },
};
for (const button of document.querySelectorAll('.copy')) {
  const { copies, makes: form } = button.dataset;
  const own = button.textContent;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const said = (text) => { button.textContent = text; setTimeout(() => { button.textContent = own; }, 1500); };
    const text = form ? makes[form]() : document.getElementById(copies).textContent;
    try { await navigator.clipboard.writeText(text); said('Copied'); } catch {
      /* No clipboard for pages from disk in this browser: select it, so that the keyboard can copy. */
      const place = document.getElementById(form ? 'made' : copies);
      if (form) { place.textContent = text; place.hidden = false; }
      getSelection().selectAllChildren(place);
      said('Selected');
    }
  });
}

/* Paper: light colours, nothing folded away. */
let before = null;
addEventListener('beforeprint', () => {
  before = { theme: root.dataset.theme, closed: [...document.querySelectorAll('details:not([open])')] };
  root.dataset.theme = 'light';
  for (const fold of before.closed) fold.open = true;
  draw();
});
addEventListener('afterprint', () => {
  if (!before) return;
  if (before.theme) root.dataset.theme = before.theme; else delete root.dataset.theme;
  for (const fold of before.closed) fold.open = false;
  before = null;
  draw();
});
`;
