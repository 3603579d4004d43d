// The report's own script, as text: theme toggle, definitions on hover, copying, and the Chart.js drawings. It runs in the reader's
// browser from disk, reads the JSON block the renderer left, and touches no network.

export const CLIENT = `(() => {
'use strict';
const root = document.documentElement;
const data = JSON.parse(document.getElementById('report-data').textContent);
const dark = matchMedia('(prefers-color-scheme: dark)');
const toggle = document.getElementById('theme');
const remember = (value) => { try { localStorage.setItem('lethe-report-theme', value); } catch { /* storage is off */ } };
const recall = () => { try { return localStorage.getItem('lethe-report-theme'); } catch { return null; } };
const asked = { '#dark': 'dark', '#light': 'light' }[location.hash] || recall();
if (asked === 'dark' || asked === 'light') root.dataset.theme = asked;
const theme = () => root.dataset.theme || (dark.matches ? 'dark' : 'light');
const name = () => { toggle.textContent = theme() === 'dark' ? 'Light theme' : 'Dark theme'; };

/* Definitions: click works without this; here they also open on hover and focus, beside their word. */
for (const button of document.querySelectorAll('.term')) {
  const box = document.getElementById(button.getAttribute('popovertarget'));
  if (!box || !box.showPopover) continue;
  const place = () => {
    const at = button.getBoundingClientRect();
    const left = Math.max(12, Math.min(innerWidth - box.offsetWidth - 12, at.left + at.width / 2 - box.offsetWidth / 2));
    const below = at.bottom + 8 + box.offsetHeight < innerHeight;
    box.style.left = left + 'px';
    box.style.top = (below ? at.bottom + 8 : Math.max(8, at.top - box.offsetHeight - 8)) + 'px';
  };
  const open = () => { if (!box.matches(':popover-open')) box.showPopover(); place(); };
  const close = () => { if (box.matches(':popover-open')) box.hidePopover(); };
  box.addEventListener('toggle', (event) => { if (event.newState === 'open') place(); });
  button.addEventListener('mouseenter', open);
  button.addEventListener('mouseleave', close);
  button.addEventListener('focus', () => { if (button.matches(':focus-visible')) open(); });
  button.addEventListener('blur', close);
  addEventListener('scroll', close, { passive: true });
}

const whiskers = {
  id: 'whiskers',
  afterDatasetsDraw(chart) {
    const ctx = chart.ctx;
    chart.data.datasets.forEach((set, d) => {
      if (!set.spread || !chart.isDatasetVisible(d)) return;
      ctx.save();
      ctx.strokeStyle = chart.options.ink;
      ctx.lineWidth = 1;
      chart.getDatasetMeta(d).data.forEach((bar, i) => {
        const size = set.spread[i];
        if (!size || set.data[i] === null) return;
        const scale = chart.scales.x;
        const low = scale.getPixelForValue(Math.max(scale.min, set.data[i] - size));
        const high = scale.getPixelForValue(Math.min(scale.max, set.data[i] + size));
        ctx.beginPath();
        ctx.moveTo(low, bar.y); ctx.lineTo(high, bar.y);
        ctx.moveTo(low, bar.y - 2.5); ctx.lineTo(low, bar.y + 2.5);
        ctx.moveTo(high, bar.y - 2.5); ctx.lineTo(high, bar.y + 2.5);
        ctx.stroke();
      });
      ctx.restore();
    });
  },
};
const target = {
  id: 'target',
  afterDatasetsDraw(chart) {
    const value = chart.options.target;
    if (!value) return;
    const x = chart.scales.x.getPixelForValue(value);
    const { ctx, chartArea } = chart;
    ctx.save();
    ctx.strokeStyle = chart.options.ink;
    ctx.setLineDash([5, 4]);
    ctx.beginPath(); ctx.moveTo(x, chartArea.top); ctx.lineTo(x, chartArea.bottom); ctx.stroke();
    ctx.restore();
  },
};
const values = {
  id: 'values',
  afterDatasetsDraw(chart) {
    if (!chart.options.texts) return;
    const { ctx, chartArea } = chart;
    ctx.save();
    ctx.font = '12px ' + Chart.defaults.font.family;
    ctx.textBaseline = 'middle';
    chart.getDatasetMeta(0).data.forEach((bar, i) => {
      const text = chart.options.texts[i];
      const outside = bar.x + 8 + ctx.measureText(text).width < chartArea.right;
      ctx.fillStyle = outside ? chart.options.ink : chart.options.paper;
      ctx.textAlign = outside ? 'left' : 'right';
      ctx.fillText(text, bar.x + (outside ? 6 : -6), bar.y);
    });
    ctx.restore();
  },
};

let charts = [];
function draw() {
  for (const chart of charts) chart.destroy();
  charts = [];
  if (typeof Chart === 'undefined') return;
  const style = getComputedStyle(root);
  const colour = (variable) => style.getPropertyValue(variable).trim();
  const ink = colour('--ink'), soft = colour('--soft'), line = colour('--line'), paper = colour('--card');
  const narrow = innerWidth < 720;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = narrow ? 12 : 13;
  Chart.defaults.color = soft;
  const base = { responsive: true, maintainAspectRatio: false, animation: false, ink, paper };
  const air = { id: 'air', beforeInit(chart) { const fit = chart.legend.fit; chart.legend.fit = function () { fit.call(this); this.height += 8; }; } };
  const legend = { position: 'top', align: 'start', labels: { boxWidth: 12, boxHeight: 12, padding: 14, color: ink } };
  const grid = { color: line, drawTicks: false };
  const short = (text) => (text.length > (narrow ? 18 : 30) ? text.slice(0, narrow ? 17 : 29) + '…' : text);
  const labels = { grid: { display: false }, border: { display: false }, ticks: { color: ink, autoSkip: false, callback(value) { return short(this.getLabelForValue(value)); } } };
  const add = (id, config) => {
    const canvas = document.getElementById(id);
    if (canvas) charts.push(new Chart(canvas, config));
  };
  const a = data.accuracy;
  add('c-accuracy', {
    type: 'bar',
    data: {
      labels: a.labels,
      datasets: a.sets.map((set) => ({
        label: set.label, data: set.values, spread: set.spread, backgroundColor: colour(set.colour),
        borderRadius: 2, barPercentage: 0.92, categoryPercentage: 0.8,
      })),
    },
    options: {
      ...base, indexAxis: 'y',
      scales: { x: { min: 0, max: 100, grid, border: { display: false }, ticks: { stepSize: narrow ? 25 : 20, callback: (v) => v + '%' } }, y: labels },
      plugins: { legend, tooltip: { callbacks: { label: (item) => item.dataset.label + ': ' + item.parsed.x.toFixed(2) + ' %' } } },
    },
    plugins: [whiskers, air],
  });
  const c = data.cost;
  if (c) add('c-cost', {
    type: 'bar',
    data: { labels: c.labels, datasets: [{ data: c.values, backgroundColor: c.labels.map((_, i) => colour(c.reference[i] ? '--soft' : '--retain')), borderRadius: 2, barPercentage: 0.72, minBarLength: 2 }] },
    options: {
      ...base, indexAxis: 'y', target: c.target, texts: c.texts,
      scales: {
        x: { min: 0, max: c.max, grid, border: { display: false }, ticks: { maxRotation: 0, maxTicksLimit: narrow ? 5 : 9, includeBounds: false, callback: (v) => v + ' ' + c.unit } },
        y: labels,
      },
      plugins: { legend: { display: false }, tooltip: { callbacks: { label: (item) => c.texts[item.dataIndex] } } },
    },
    plugins: [target, values],
  });
  const t = data.tradeoff;
  const marks = ['circle', 'rect', 'triangle', 'rectRot', 'star'];
  const hues = ['--retain', '--forget', '--test', '--soft', '--forget-2'];
  if (t) add('c-tradeoff', {
    type: 'scatter',
    data: {
      datasets: t.curves.map((curve, i) => ({
        label: curve.name, data: curve.points, showLine: true, pointStyle: marks[i % 5], pointRadius: 5, pointHoverRadius: 7,
        borderWidth: 2, borderColor: colour(hues[i % 5]), backgroundColor: colour(hues[i % 5]), tension: 0,
      })),
    },
    options: {
      ...base,
      scales: { x: { title: { display: true, text: t.xLabel, color: ink }, grid }, y: { title: { display: true, text: t.yLabel, color: ink }, grid } },
      plugins: {
        legend: { ...legend, labels: { ...legend.labels, usePointStyle: true, boxWidth: 8, boxHeight: 8 } },
        tooltip: { callbacks: { label: (item) => item.dataset.label + (item.raw.label ? ' (' + item.raw.label + ')' : '') + ': ' + item.parsed.x + ', ' + item.parsed.y } },
      },
    },
    plugins: [air],
  });
}

toggle.hidden = false;
toggle.addEventListener('click', () => { root.dataset.theme = theme() === 'dark' ? 'light' : 'dark'; remember(root.dataset.theme); name(); draw(); });
dark.addEventListener('change', () => { name(); draw(); });
matchMedia('(max-width: 720px)').addEventListener('change', draw);
name();
draw();

for (const button of document.querySelectorAll('.copy')) {
  const source = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener('click', async () => {
    const said = (text) => { button.textContent = text; setTimeout(() => { button.textContent = 'Copy'; }, 1500); };
    try { await navigator.clipboard.writeText(source.textContent); said('Copied'); } catch {
      /* No clipboard for pages from disk in this browser: select it, so that the keyboard can copy. */
      getSelection().selectAllChildren(source);
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
})();`;
