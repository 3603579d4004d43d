import { decode } from 'fast-png';
import { expect, it } from 'vitest';
import { drawGlyphs } from '../../../unlearn/data/glyphs.ts';
import { contactSheet, pngDataUri, pngOf } from '../../../unlearn/data/png.ts';
import { imageAt, makeSplit } from '../../../unlearn/data/split.ts';
import { refuses } from './helpers.ts';

const glyphs = drawGlyphs({ seed: 0, split: 'train', size: 12 });

it('encodes one image, enlarged without smoothing', () => {
  const plain = decode(pngOf(glyphs, 3));
  expect([plain.width, plain.height, plain.channels]).toEqual([32, 32, 3]);
  expect(plain.data).toEqual(imageAt(glyphs, 3));
  const large = decode(pngOf(glyphs, 3, { scale: 3 }));
  expect([large.width, large.height]).toEqual([96, 96]);
  for (const [x, y] of [
    [0, 0],
    [50, 41],
    [95, 95],
  ]) {
    const from = (Math.floor(y / 3) * 32 + Math.floor(x / 3)) * 3;
    expect([...large.data.slice((y * 96 + x) * 3, (y * 96 + x) * 3 + 3)]).toEqual([
      ...imageAt(glyphs, 3).slice(from, from + 3),
    ]);
  }
});

it('gives a data URI', () => {
  const uri = pngDataUri(glyphs, 0);
  expect(uri).toMatch(/^data:image\/png;base64,iVBORw0KGgo[A-Za-z0-9+/]+=*$/);
  expect(decode(Buffer.from(uri.slice(22), 'base64')).data).toEqual(imageAt(glyphs, 0));
});

it('lays samples out in rows, with gaps', () => {
  const sheet = decode(contactSheet(glyphs, [0, 1, 2, 3, 4], { columns: 3, gap: 1, background: [9, 8, 7] }));
  expect([sheet.width, sheet.height]).toEqual([100, 67]);
  expect([...sheet.data.slice(0, 3)]).toEqual([9, 8, 7]);
  const at = ((1 + 33) * 100 + 1 + 33) * 3;
  expect([...sheet.data.slice(at, at + 3)]).toEqual([...imageAt(glyphs, 4).slice(0, 3)]);
});

it('draws grey images and rows of tables', () => {
  const grey = makeSplit({ shape: [1, 2, 1], images: Uint8Array.of(5, 6), labels: Int32Array.of(0) });
  expect([...decode(pngOf(grey, 0)).data]).toEqual([5, 5, 5, 6, 6, 6]);
  const table = makeSplit({
    shape: [1, 1, 5],
    images: Uint8Array.of(1, 2, 3, 4, 5),
    labels: Int32Array.of(0),
  });
  const { width, height, data } = decode(pngOf(table, 0));
  expect([width, height, data[0], data[12], data[15]]).toEqual([3, 2, 1, 5, 255]);
});

it('refuses impossible sheets', async () => {
  await refuses(() => pngOf(glyphs, 12), 'value', /position 12: expected 0 to 11/);
  await refuses(() => pngOf(glyphs, 0, { scale: 0 }), 'value', /^scale/);
  await refuses(() => contactSheet(glyphs, []), 'value', /at least one sample/);
  await refuses(() => contactSheet(glyphs, [0], { gap: -1 }), 'value', /^gap/);
});
