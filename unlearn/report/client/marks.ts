// The page's script, as text: what is drawn over Chart.js' charts: whiskers, a target, values beside bars.

export const MARKS = `
const whiskers = {
  id: 'whiskers',
  afterDatasetsDraw(chart) {
    const ctx = chart.ctx;
    chart.data.datasets.forEach((set, d) => {
      if (!set.spread || !chart.isDatasetVisible(d)) return;
      ctx.save();
      ctx.lineWidth = 1;
      /* Bars lie along x; points have them above and below. */
      const lying = chart.options.indexAxis === 'y';
      const scale = lying ? chart.scales.x : chart.scales.y;
      chart.getDatasetMeta(d).data.forEach((mark, i) => {
        const size = set.spread[i];
        if (!size || set.data[i] === null) return;
        const middle = lying ? set.data[i] : set.data[i].y;
        const ends = [Math.max(scale.min, middle - size), Math.min(scale.max, middle + size)].map((value) => scale.getPixelForValue(value));
        const [low, high] = ends;
        const stroke = (a, b, c, d) => { if (lying) { ctx.moveTo(a, b); ctx.lineTo(c, d); } else { ctx.moveTo(b, a); ctx.lineTo(d, c); } };
        const across = lying ? mark.y : mark.x;
        ctx.strokeStyle = lying ? chart.options.ink : set.borderColor;
        ctx.beginPath();
        stroke(low, across, high, across);
        for (const end of ends) stroke(end, across - 2.5, end, across + 2.5);
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
