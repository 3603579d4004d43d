// The page's script, as text: pictures on canvas of the rows that are chosen: points of features, attention over images,
// planes of decisions.

export const PICTURES = `
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/* A canvas of the page, as sharp as the screen, with its size in points; null where it is not shown. */
const surface = (canvas) => {
  if (!canvas || !canvas.clientWidth) return null;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const scale = Math.min(3, devicePixelRatio || 1);
  canvas.width = width * scale;
  canvas.height = height * scale;
  const ctx = canvas.getContext('2d');
  ctx.scale(scale, scale);
  return { ctx, width, height };
};

/* Points of F as crosses, of T_f as rings, of T_r as dots. */
function clouds(shown, colour) {
  const [forget, kept] = [colour('--forget'), colour('--retain')];
  const marks = {
    kept(ctx, x, y) { ctx.globalAlpha = 0.55; ctx.arc(x, y, 1.7, 0, 7); ctx.fill(); },
    gone(ctx, x, y) { ctx.arc(x, y, 3, 0, 7); ctx.stroke(); },
    forget(ctx, x, y) { ctx.moveTo(x - 2.5, y - 2.5); ctx.lineTo(x + 2.5, y + 2.5); ctx.moveTo(x + 2.5, y - 2.5); ctx.lineTo(x - 2.5, y + 2.5); ctx.stroke(); },
  };
  for (const { m, ...sets } of data.clouds) {
    const on = shown.includes(m) && surface(document.querySelector('canvas[data-cloud="' + m + '"]'));
    if (!on) continue;
    const { ctx, width: size } = on;
    Object.assign(ctx, { fillStyle: kept, strokeStyle: forget, lineWidth: 1.3 });
    const place = (v) => 6 + (v / 511) * (size - 12);
    for (const set of ['kept', 'gone', 'forget']) for (let i = 0; i < sets[set].length; i += 3) {
      const [a, b, c] = [0, 1, 2].map((k) => letters.indexOf(sets[set][i + k]));
      const bits = a * 4096 + b * 64 + c;
      ctx.globalAlpha = 0.9;
      ctx.beginPath();
      marks[set](ctx, place(bits >> 9), size - place(bits & 511));
    }
  }
}

/* Grey images with orange where the map is large, one below the other, the likeness to retrain below each. */
function looks(shown, colour) {
  if (!data.looks) return;
  const images = [...document.querySelectorAll('.looks img')];
  const { size: [rows, columns], models } = data.looks;
  const [r, g, b] = [240, 118, 20];
  for (const { m, maps, said } of models) {
    const on = shown.includes(m) && surface(document.querySelector('canvas[data-look="' + m + '"]'));
    if (!on) continue;
    const { ctx, width: size, height } = on;
    const step = height / maps.length;
    Object.assign(ctx, { textAlign: 'center', textBaseline: 'middle', font: '12px ' + getComputedStyle(document.body).fontFamily });
    maps.forEach((map, i) => {
      if (!images[i].naturalWidth) return;
      const top = i * step;
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(images[i], 0, top, size, size);
      ctx.globalCompositeOperation = 'saturation';
      ctx.fillStyle = '#808080';
      ctx.fillRect(0, top, size, size);
      ctx.globalCompositeOperation = 'source-over';
      const small = Object.assign(document.createElement('canvas'), { width: columns, height: rows });
      const to = small.getContext('2d');
      const pixels = to.createImageData(columns, rows);
      for (let p = 0; p < rows * columns; p++) pixels.data.set([r, g, b, (205 / 63) * letters.indexOf(map[p])], 4 * p);
      to.putImageData(pixels, 0, 0);
      ctx.imageSmoothingEnabled = true;
      ctx.drawImage(small, 0, top, size, size);
      ctx.fillStyle = colour('--soft');
      ctx.fillText(said[i], size / 2, top + size + (step - size) / 2 - 2);
    });
  }
}

/* A colour for the class at each point, and the three images as marks. */
function planes(shown, colour) {
  if (!data.planes) return;
  const { side, marks, models } = data.planes;
  const colours = [...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => colour('--c' + i)), colour('--soft'), colour('--line')];
  for (const { m, runs } of models) {
    const on = shown.includes(m) && surface(document.querySelector('canvas[data-plane="' + m + '"]'));
    if (!on) continue;
    const { ctx, width: size } = on;
    const cells = document.createElement('canvas');
    cells.width = cells.height = side;
    const to = cells.getContext('2d');
    const kinds = [];
    for (let i = 0; i < runs.length; i += 2) {
      to.fillStyle = colours[letters.indexOf(runs[i])];
      for (let left = letters.indexOf(runs[i + 1]) + 1; left > 0; left--) to.fillRect((kinds.push(runs[i]) - 1) % side, Math.floor((kinds.length - 1) / side), 1, 1);
    }
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(cells, 0, 0, size, size);
    /* Borders as lines: two colours may be of one lightness. */
    const each = size / side;
    ctx.beginPath();
    kinds.forEach((kind, i) => {
      const [x, y] = [(i % side) * each, Math.floor(i / side) * each];
      if (i % side && kinds[i - 1] !== kind) { ctx.moveTo(x, y); ctx.lineTo(x, y + each); }
      if (i >= side && kinds[i - side] !== kind) { ctx.moveTo(x, y); ctx.lineTo(x + each, y); }
    });
    ctx.strokeStyle = colour('--card');
    ctx.stroke();
    Object.assign(ctx, { textAlign: 'center', textBaseline: 'middle', lineWidth: 1.5, font: '600 11px ' + getComputedStyle(document.body).fontFamily });
    for (const [name, x, y] of marks) {
      const [px, py] = [x, y].map((v) => ((0.5 + v * (side - 1)) / side) * size);
      ctx.beginPath();
      ctx.arc(px, py, 8, 0, 7);
      ctx.fillStyle = '#fff';
      ctx.fill();
      ctx.strokeStyle = ctx.fillStyle = '#1c2024';
      ctx.stroke();
      ctx.fillText(name, px, py + 0.5);
    }
  }
}
`;
