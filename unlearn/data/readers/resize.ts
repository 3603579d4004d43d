// Changing the size and the colours of a decoded picture, in integers: the same bytes on every machine. Resizing is by
// area average (a box filter): each new pixel is the mean of what it covers, to the nearest byte. No cropping: a
// picture of other proportions is stretched.

import type { Picture } from './pictures.ts';

/** Where each of `to` new pixels begins among `from` old ones, and how much of each old one it covers, in 1/to's. */
function overlaps(from: number, to: number): { first: Int32Array; weights: number[][] } {
  const first = new Int32Array(to);
  const weights: number[][] = [];
  for (let i = 0; i < to; i++) {
    const start = i * from;
    const end = start + from;
    first[i] = Math.floor(start / to);
    const row: number[] = [];
    for (let j = first[i]; j * to < end; j++) row.push(Math.min(end, (j + 1) * to) - Math.max(start, j * to));
    weights.push(row);
  }
  return { first, weights };
}

/** The picture at height x width, each pixel the area average of what it covers. */
export function resize(picture: Picture, height: number, width: number): Picture {
  if (picture.height === height && picture.width === width) return picture;
  const { channels } = picture;
  const across = overlaps(picture.width, width);
  const down = overlaps(picture.height, height);
  const area = picture.width * picture.height;
  const data = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const wx = across.weights[x];
      const wy = down.weights[y];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let v = 0; v < wy.length; v++) {
          let row = 0;
          let from = ((down.first[y] + v) * picture.width + across.first[x]) * channels + c;
          for (let u = 0; u < wx.length; u++, from += channels) row += wx[u] * picture.data[from];
          sum += row * wy[v];
        }
        // Weights sum to the area of the old picture; sums stay below 255 x 2^26.
        data[(y * width + x) * channels + c] = Math.floor((2 * sum + area) / (2 * area));
      }
    }
  }
  return { width, height, channels, data };
}

/** The picture with 1 channel (luma 0.299 R + 0.587 G + 0.114 B, to the nearest byte) or 3 (grey three times). */
export function withChannels(picture: Picture, channels: 1 | 3): Picture {
  if (picture.channels === channels) return picture;
  const { width, height } = picture;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    if (channels === 3) data.fill(picture.data[i], i * 3, i * 3 + 3);
    else {
      const sum = 299 * picture.data[i * 3] + 587 * picture.data[i * 3 + 1] + 114 * picture.data[i * 3 + 2];
      data[i] = Math.floor((sum + 500) / 1000);
    }
  }
  return { width, height, channels, data };
}
