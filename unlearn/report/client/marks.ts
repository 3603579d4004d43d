// The page's script, as text: what is drawn over Chart.js' charts: whiskers, a target, values beside bars.

export const MARKS = `
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
const air = { id: 'air', beforeInit(chart) { const fit = chart.legend.fit; chart.legend.fit = function () { fit.call(this); this.height += 8; }; } };
`;
