// The page's script, as text: the drawings of the rows that are chosen, here those by Chart.js.

export const CHARTING = `
let charts = [];
function draw() {
  for (const chart of charts) chart.destroy();
  charts = [];
  if (!later) return;
  const style = getComputedStyle(root);
  const colour = (variable) => style.getPropertyValue(variable).trim();
  const shown = chosen();
  for (const picture of [clouds, looks, planes]) picture(shown, colour);
  if (typeof Chart === 'undefined') return;
  const ink = colour('--ink'), soft = colour('--soft'), line = colour('--line'), paper = colour('--card');
  const narrow = innerWidth < 720;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = narrow ? 12 : 13;
  Chart.defaults.color = soft;
  const base = { responsive: true, maintainAspectRatio: false, animation: false, ink, paper };
  const legend = { position: 'top', align: 'start', labels: { boxWidth: 12, boxHeight: 12, padding: 14, color: ink } };
  const points = { ...legend, labels: { ...legend.labels, usePointStyle: true, boxWidth: 14, boxHeight: 7 } };
  const grid = { color: line, drawTicks: false };
  const short = (text) => (text.length > (narrow ? 18 : 30) ? text.slice(0, narrow ? 17 : 29) + '…' : text);
  const labels = { grid: { display: false }, border: { display: false }, ticks: { color: ink, autoSkip: false, callback(value) { return short(this.getLabelForValue(value)); } } };
  const add = (id, config, height) => {
    const canvas = $(id);
    if (!canvas) return;
    if (height) canvas.parentElement.style.height = height + 'px';
    charts.push(new Chart(canvas, config));
  };
  const nameOf = (r) => table.rows[r].method;
  /* The places in a chart's lists of the rows that are shown, in the order of the table. */
  const placesIn = (rows) => shown.map((r) => rows.indexOf(r)).filter((i) => i >= 0);

  const a = data.accuracy;
  const bars = placesIn(a.rows);
  add('c-accuracy', {
    type: 'bar',
    data: {
      labels: bars.map((i) => nameOf(a.rows[i])),
      datasets: a.sets.map((set) => ({
        label: set.label, data: bars.map((i) => set.values[i]), spread: bars.map((i) => set.spread[i]), backgroundColor: colour(set.colour),
        borderRadius: 2, barPercentage: 0.92, categoryPercentage: 0.8,
      })),
    },
    options: {
      ...base, indexAxis: 'y',
      scales: { x: { min: 0, max: 100, grid, border: { display: false }, ticks: { stepSize: narrow ? 25 : 20, callback: (v) => v + '%' } }, y: labels },
      plugins: { legend, tooltip: { callbacks: { label: (item) => item.dataset.label + ': ' + item.parsed.x.toFixed(2) + ' %' } } },
    },
    plugins: [whiskers, air],
  }, 70 + 46 * bars.length);

  const c = data.cost;
  const timed = c ? placesIn(c.rows) : [];
  if (timed.length) add('c-cost', {
    type: 'bar',
    data: { labels: timed.map((i) => nameOf(c.rows[i])), datasets: [{ data: timed.map((i) => c.values[i]), backgroundColor: timed.map((i) => colour(c.reference[i] ? '--soft' : '--retain')), borderRadius: 2, barPercentage: 0.72, minBarLength: 2 }] },
    options: {
      ...base, indexAxis: 'y', target: c.target, texts: timed.map((i) => c.texts[i]),
      scales: {
        x: { min: 0, max: c.max, grid, border: { display: false }, ticks: { maxRotation: 0, maxTicksLimit: narrow ? 5 : 9, includeBounds: false, callback: (v) => v + ' ' + c.unit } },
        y: labels,
      },
      plugins: { legend: { display: false }, tooltip: { callbacks: { label: (item) => c.texts[timed[item.dataIndex]] } } },
    },
    plugins: [target, values],
  }, 60 + 32 * timed.length);

  const marks = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'cross', 'crossRot', 'rectRounded'];
  /* Lines of rows: retrain dashed, the original dotted, methods in the colours of their places among the methods. */
  const lineChart = (id, chart) => {
    const own = chart.lines.filter(({ m }) => shown.includes(m)).sort((p, q) => shown.indexOf(p.m) - shown.indexOf(q.m));
    const xs = [...new Set(own.flatMap((one) => one.points.map(([x]) => x)))].sort((p, q) => p - q);
    const least = xs.find((x) => x > 0);
    /* Few values over a wide range stand as logarithms of 1 + x. */
    const ticks = chart.ticks;
    const bent = !ticks && xs.length <= 16 && xs[0] >= 0 && xs[xs.length - 1] > 12 * least;
    const at = bent ? Math.log1p : (x) => x;
    const tickAt = (x) => ticks.reduce((p, q) => (Math.abs(q[0] - x) < Math.abs(p[0] - x) ? q : p));
    const room = ticks && (chart.apart || ticks.length < 2 ? 0.5 : 0.04 * (ticks[ticks.length - 1][0] - ticks[0][0]));
    const axis = ticks
      ? { min: ticks[0][0] - room, max: ticks[ticks.length - 1][0] + room, afterBuildTicks(axis) { axis.ticks = ticks.map(([value]) => ({ value })); } }
      : bent ? { min: at(xs[0]), max: at(xs[xs.length - 1]), afterBuildTicks(axis) { axis.ticks = xs.map((x) => ({ value: at(x) })); } } : {};
    /* Whiskers are to be seen whole. */
    const ends = ticks ? own.flatMap(({ points: all, spread }) => all.flatMap(([, y], i) => [y - (spread[i] || 0), Math.min(chart.y.endsWith('%') ? 100 : Infinity, y + (spread[i] || 0))])) : [];
    const styleOf = (m) => {
      if (roles[m] === 'retrain') return { borderColor: ink, backgroundColor: ink, borderDash: [6, 4], pointStyle: 'line' };
      if (roles[m] === 'original') return { borderColor: soft, backgroundColor: soft, borderDash: [2, 3], pointStyle: 'line' };
      const i = methods.indexOf(m) % 8;
      return { borderColor: colour('--c' + i), backgroundColor: colour('--c' + i), pointStyle: marks[i] };
    };
    add(id, {
      type: 'scatter',
      data: {
        datasets: own.map(({ m, points: all, spread }) => ({
          label: nameOf(m), spread, data: all.map(([x, y]) => ({ x: at(x), y, of: ticks ? tickAt(x)[1] : x })), showLine: !chart.apart || roles[m] !== 'method', borderWidth: 2, pointRadius: all.length > 20 ? 0 : 3, pointHoverRadius: 6, tension: 0, ...styleOf(m),
        })),
      },
      options: {
        ...base,
        scales: {
          x: {
            title: { display: true, text: chart.x, color: ink }, grid,
            ...axis,
            ticks: { maxRotation: chart.apart ? 60 : 0, autoSkip: !chart.apart, callback: (v) => (ticks ? tickAt(v)[1] : bent ? String(Math.round(Math.expm1(v))) : v) },
          },
          y: { title: { display: true, text: chart.y, color: ink }, grid, ...(ticks ? { suggestedMin: Math.min(...ends), suggestedMax: Math.max(...ends) } : {}) },
        },
        plugins: { legend: points, tooltip: { callbacks: { label: (item) => item.dataset.label + ': ' + item.parsed.y.toPrecision(4) + ' at ' + item.raw.of } } },
      },
      plugins: [whiskers, air],
    });
  };
  /* Metrics over an option: a line for each family of entries, and level lines for retrain and the original. */
  const sweepChart = (id, chart) => {
    const xs = [...new Set(chart.lines.flatMap((one) => one.points.map(([x]) => x)))].sort((p, q) => p - q);
    const wide = xs[0] > 0 && xs[xs.length - 1] >= 20 * xs[0];
    const at = wide ? Math.log10 : (x) => x;
    const back = (v) => (wide ? Number((10 ** v).toPrecision(3)) : v);
    const level = (label, y, borderDash, color) => (y === null ? [] : [{ label, data: [xs[0], xs[xs.length - 1]].map((x) => ({ x: at(x), y })), showLine: true, pointRadius: 0, borderWidth: 1.5, borderDash, borderColor: color, backgroundColor: color, pointStyle: 'line' }]);
    add(id, {
      type: 'scatter',
      data: {
        datasets: [
          ...level('Retrain', chart.retrain, [6, 4], ink),
          ...level('Original', chart.original, [2, 3], soft),
          ...chart.lines.map(({ label, points: all }, i) => ({ label, data: all.map(([x, y]) => ({ x: at(x), y })), showLine: true, borderWidth: 2, pointRadius: 4, pointHoverRadius: 6, tension: 0, borderColor: colour('--c' + (i % 8)), backgroundColor: colour('--c' + (i % 8)), pointStyle: marks[i % 8] })),
        ],
      },
      options: {
        ...base,
        scales: {
          x: { title: { display: true, text: chart.x + (wide ? ', logarithmic' : ''), color: ink }, grid, min: at(xs[0]), max: at(xs[xs.length - 1]), afterBuildTicks(axis) { axis.ticks = xs.map((x) => ({ value: at(x) })); }, ticks: { maxRotation: 0, callback: (v) => String(back(v)) } },
          y: { title: { display: true, text: chart.y, color: ink }, grid },
        },
        plugins: { legend: points, tooltip: { callbacks: { label: (item) => item.dataset.label + ': ' + item.parsed.y.toPrecision(4) + ' at ' + back(item.parsed.x) } } },
      },
      plugins: [air],
    });
  };
  data.curves.forEach((chart, i) => lineChart('c-curve-' + i, chart));
  data.sweeps.forEach((chart, i) => sweepChart('c-sweep-' + i, chart));
  if (data.losses) lineChart('c-losses', data.losses);
}
`;
