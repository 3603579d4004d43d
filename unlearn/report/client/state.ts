// The page's script, as text: which rows of the table are shown, in which order, and which of them the charts show. All of it
// stands in the address behind #, after the section: #SECTION&sort=KEY&down=1&text=WORD&flag=KIND&show=NAME&show=NAME.

/** Methods shown in charts and panels where none is ticked and there are more than two beyond; on narrow pages half of it. */
export const FEW = 6;

export const STATE = `
/* The cells as maps by the columns' keys. */
const kinds = ['mean', 'std', 'gap', 'low', 'high', 'score'];
const numbersOf = (list) => Object.fromEntries(kinds.flatMap((kind, i) => (typeof list[i] === 'number' ? [[kind, list[i]]] : [])));
const cellOf = (cell) => (Array.isArray(cell) ? numbersOf(cell) : { ...numbersOf(cell.raw), measurable: false });
const table = {
  columns: data.table.columns,
  rows: data.table.rows.map((row) => ({
    ...row,
    cells: Object.fromEntries(data.table.columns.flatMap(({ key }, c) => (row.cells[c] === null ? [] : [[key, cellOf(row.cells[c])]]))),
  })),
};
const $ = (id) => document.getElementById(id);
const body = document.querySelector('.main tbody');
const lines = body ? [...body.rows] : [];
const roles = table.rows.map((row) => row.role);
const methods = [...roles.keys()].filter((r) => roles[r] === 'method');
/* Rows shown where none is ticked. */
const FEW = innerWidth < 720 ? ${FEW / 2} : ${FEW};
const state = { sort: '', down: false, text: '', flag: '', show: new Set() };
let place = '';

const read = () => {
  const [first, ...rest] = location.hash.slice(1).split('&');
  const asked = new URLSearchParams(rest.join('&'));
  place = first;
  const key = asked.get('sort') || '';
  state.sort = key === 'name' || table.columns.some((column) => column.key === key) ? key : '';
  state.down = asked.get('down') === '1';
  state.text = asked.get('text') || '';
  state.flag = asked.get('flag') || '';
  const names = new Set(asked.getAll('show'));
  state.show = new Set(methods.filter((r) => names.has(table.rows[r].method)));
};
const write = () => {
  const asked = new URLSearchParams();
  if (state.sort) asked.set('sort', state.sort);
  if (state.down) asked.set('down', '1');
  if (state.text) asked.set('text', state.text);
  if (state.flag) asked.set('flag', state.flag);
  for (const r of state.show) asked.append('show', table.rows[r].method);
  const said = String(asked);
  const hash = said ? '#' + place + '&' + said : place ? '#' + place : ' ';
  if (hash !== location.hash) try { history.replaceState(null, '', hash === ' ' ? location.pathname + location.search : hash); } catch { /* The address cannot be changed here. */ }
};

const passes = (r) => {
  const { method, flags } = table.rows[r];
  if (state.text && !method.toLowerCase().includes(state.text.toLowerCase())) return false;
  return !state.flag || (state.flag === 'none' ? flags.length === 0 : flags.includes(state.flag));
};
/* What a row is sorted by: the distance from retrain where there is one, else the value. */
const rank = (r) => {
  const cell = table.rows[r].cells[state.sort];
  if (!cell || cell.measurable === false) return null;
  return 'gap' in cell ? Math.abs(cell.gap) : cell.mean;
};
const order = () => {
  const sorted = [...methods];
  const sign = state.down ? -1 : 1;
  if (state.sort === 'name') sorted.sort((a, b) => sign * table.rows[a].method.localeCompare(table.rows[b].method));
  else if (state.sort) sorted.sort((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    return x === null || y === null ? (x === null) - (y === null) : sign * (x - y);
  });
  else if (state.down) sorted.reverse();
  const first = [...roles.keys()].filter((r) => roles[r] === 'original' || roles[r] === 'retrain');
  return [...first, ...sorted];
};
/* A row with the controls that stand below it. */
const withControls = (r) => {
  let end = r + 1;
  while (roles[end] === 'control') end++;
  return [...Array(end - r).keys()].map((i) => r + i);
};
const listed = () => order().filter((r) => roles[r] !== 'method' || passes(r)).flatMap(withControls);
/* The rows that charts and panels show. */
const chosen = () => {
  const all = order();
  const refs = all.filter((r) => roles[r] !== 'method');
  const rest = all.filter((r) => roles[r] === 'method');
  if (state.show.size) return [...refs, ...rest.filter((r) => state.show.has(r))];
  const seen = rest.filter(passes);
  return [...refs, ...(seen.length > FEW + 2 ? seen.slice(0, FEW) : seen)];
};

function apply() {
  write();
  const rows = listed();
  const seen = new Set(rows);
  for (const [r, line] of lines.entries()) line.hidden = !seen.has(r);
  for (const r of rows) body.append(lines[r]);
  const now = chosen();
  const drawn = new Set(now);
  for (const one of document.querySelectorAll('[data-m]')) {
    one.hidden = !drawn.has(Number(one.dataset.m));
    if (!one.hidden) fill(one);
  }
  for (const r of methods) {
    lines[r].classList.toggle('shown', state.show.has(r));
    const tick = lines[r].querySelector('.tick');
    if (tick) tick.checked = state.show.has(r);
  }
  for (const button of document.querySelectorAll('.sort')) {
    const on = table.columns[Number(button.dataset.sort)].key === state.sort;
    button.textContent = on ? (state.down ? '▼' : '▲') : '↕';
    button.closest('th').setAttribute('aria-sort', on ? (state.down ? 'descending' : 'ascending') : 'none');
  }
  if ($('t-sort')) {
    $('t-sort').value = state.sort;
    $('t-flag').value = state.flag;
    if ($('t-text').value !== state.text) $('t-text').value = state.text;
    const count = methods.filter(passes).length;
    const drawnMethods = now.filter((r) => roles[r] === 'method').length;
    $('t-said').textContent = count + ' of ' + methods.length + ' methods listed, ' + drawnMethods + ' in the charts' + (state.show.size ? '' : ' (none ticked)');
  }
  draw();
}
const sortBy = (key) => {
  if (state.sort !== key) { state.sort = key; state.down = false; }
  else if (!state.down) state.down = true;
  else { state.sort = ''; state.down = false; }
  apply();
};
const toggleRow = (r) => {
  if (!state.show.delete(r)) state.show.add(r);
  apply();
};

if ($('tools')) {
  $('tools').hidden = false;
  $('t-how').hidden = false;
  $('t-text').addEventListener('input', (event) => { state.text = event.target.value.trim(); apply(); });
  $('t-flag').addEventListener('change', (event) => { state.flag = event.target.value; apply(); });
  $('t-sort').addEventListener('change', (event) => { state.sort = event.target.value; state.down = false; apply(); });
  $('t-clear').addEventListener('click', () => { Object.assign(state, { sort: '', down: false, text: '', flag: '', show: new Set() }); apply(); });
  for (const button of document.querySelectorAll('.sort')) {
    button.hidden = false;
    button.addEventListener('click', () => sortBy(table.columns[Number(button.dataset.sort)].key));
  }
  for (const r of methods) {
    const tick = lines[r].querySelector('.tick');
    if (tick) { tick.hidden = false; tick.addEventListener('change', () => toggleRow(r)); }
    lines[r].addEventListener('click', (event) => {
      if (!event.target.closest('button, a, input, abbr') && getSelection().isCollapsed) toggleRow(r);
    });
  }
}
/* A link within the page keeps the state; a link with a state brings its own. */
const restore = () => {
  read();
  apply();
  const target = place && $(place);
  if (target && location.hash.includes('&')) target.scrollIntoView({ behavior: 'instant' });
};
addEventListener('hashchange', () => {
  if (location.hash.includes('&')) return restore();
  place = location.hash.slice(1);
  write();
});
`;
