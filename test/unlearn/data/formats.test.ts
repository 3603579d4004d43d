// Pictures as they are to be seen: EXIF orientation in every format that carries it, and the formats read besides PNG,
// JPEG and Netpbm (pictures.test.ts).

import { deflateSync } from 'node:zlib';
import { encode as encodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { orientationOf } from '../../../unlearn/data/readers/formats/exif.ts';
import { classify, decodePicture } from '../../../unlearn/data/readers/pictures.ts';
import { bmp, exif, gif, jpegWith, webp } from './encoders.ts';
import { ihdr, png, refuses } from './helpers.ts';

const decode = (bytes: Uint8Array) => decodePicture(bytes, 'p');

const A = [220, 40, 40];
const B = [40, 40, 220];
const C = [40, 200, 40];

/** Three rows and two columns of 8 x 8 blocks: A B / C C / C C, so that no two orientations look alike. */
const blocks = [A, B, C, C, C, C];
const rgba = Uint8Array.from({ length: 16 * 24 * 4 }, (_, i) => {
  const pixel = i >> 2;
  const block = blocks[2 * Math.floor(pixel / 16 / 8) + Math.floor((pixel % 16) / 8)];
  return (i & 3) === 3 ? 255 : block[i & 3];
});
const letter = new Map([
  [A, 'A'],
  [B, 'B'],
  [C, 'C'],
]);

/** The blocks of a decoded picture, row by row. */
function seen({ width, height, channels, data }: Awaited<ReturnType<typeof decode>>): string {
  const rows: string[] = [];
  for (let y = 4; y < height; y += 8) {
    let row = '';
    for (let x = 4; x < width; x += 8) {
      const at = (y * width + x) * channels;
      const near = [...letter].find(([colour]) => colour.every((v, c) => Math.abs(v - data[at + c]) < 20));
      row += near?.[1] ?? '?';
    }
    rows.push(row);
  }
  return rows.join(' ');
}

// What is stored as AB / CC / CC, seen by each orientation.
const views: [number, string][] = [
  [1, 'AB CC CC'],
  [2, 'BA CC CC'],
  [3, 'CC CC BA'],
  [4, 'CC CC AB'],
  [5, 'ACC BCC'],
  [6, 'CCA CCB'],
  [7, 'CCB CCA'],
  [8, 'BCC ACC'],
];

describe('EXIF orientation', () => {
  const photo = jpeg.encode({ width: 16, height: 24, data: rgba }, 95).data;
  it.each(views)('%i in a JPEG', async (orientation, view) => {
    for (const little of [true, false])
      expect(seen(await decode(jpegWith(photo, exif(orientation, little))))).toBe(view);
  });

  it.each(views)('%i in a PNG', async (orientation, view) => {
    const raw = Buffer.concat(
      Array.from({ length: 24 }, (_, y) =>
        Buffer.concat([Buffer.of(0), rgba.subarray(y * 64, (y + 1) * 64)]),
      ),
    );
    const picture = png([
      ['IHDR', ihdr(16, 24, 8, 6)],
      ['eXIf', exif(orientation)],
      ['IDAT', deflateSync(raw)],
      ['IEND', Buffer.alloc(0)],
    ]);
    expect(seen(await decode(picture))).toBe(view);
  });

  it.each(views)('%i in a WebP', async (orientation, view) => {
    expect(seen(await decode(await webp(16, 24, rgba, { exif: exif(orientation) })))).toBe(view);
  });

  it('that makes no sense means: as it is stored', async () => {
    for (const block of [
      exif(0),
      exif(9),
      exif(6, true, 4),
      exif(6).subarray(0, 15),
      Buffer.from('II*\0\xff\xff\xff\xff', 'latin1'),
      Buffer.alloc(30, 255),
      Buffer.alloc(0),
    ]) {
      expect(orientationOf(block)).toBe(1);
      expect(seen(await decode(jpegWith(photo, block)))).toBe('AB CC CC');
    }
  });
});

describe('WebP', () => {
  it('lossless, to the bit; transparency on white', async () => {
    const pixels = Uint8Array.from({ length: 7 * 5 * 4 }, (_, i) => ((i & 3) === 3 ? 255 : (i * 37) & 255));
    pixels.set([1, 2, 3, 0], 0);
    const { width, height, channels, data } = await decode(await webp(7, 5, pixels));
    expect([width, height, channels]).toEqual([7, 5, 3]);
    expect([...data.subarray(0, 3)]).toEqual([255, 255, 255]);
    const opaque = [...pixels].filter((_, i) => (i & 3) !== 3);
    expect([...data.subarray(3)]).toEqual(opaque.slice(3));
  });

  it('lossy, within a few grey levels', async () => {
    expect(seen(await decode(await webp(16, 24, rgba, { lossless: false })))).toBe('AB CC CC');
  });

  it('refuses what it cannot read, in one line', async () => {
    const good = await webp(16, 24, rgba, { exif: exif(1) });
    const cut = Buffer.from(good.subarray(0, 60));
    await refuses(
      () => decode(good.subarray(0, 16)),
      'data',
      /byte 0: expected a WebP header, found 16 bytes$/,
    );
    await refuses(() => decode(cut), 'data', /byte 4: the header says \d+ bytes, the file has 60$/);
    cut.writeUInt32LE(52, 4);
    await refuses(() => decode(cut), 'data', /byte 30: chunk of \d+ bytes is longer than the file$/);
    const moving = Buffer.from(good);
    moving.write('ANIM', good.indexOf('EXIF'));
    await refuses(() => decode(moving), 'data', /an animation, expected a still picture$/);
    const huge = Buffer.from(good);
    huge.fill(255, 24, 30);
    await refuses(() => decode(huge), 'data', /byte 12: 16777216 x 16777216 pixels, expected 1 to /);
    const empty = Buffer.from(good);
    empty.write('ABCD', 30);
    await refuses(() => decode(empty), 'data', /^p: no pixels in the WebP file$/);
    const damaged = Buffer.from(good);
    damaged.fill(0, 44, 56);
    await refuses(() => decode(damaged), 'data', /^p: damaged WebP$/);
    // The decoder is as good as new after each of them.
    expect(seen(await decode(good))).toBe('AB CC CC');
  });
});

describe('GIF', () => {
  const table = [
    [1, 2, 3],
    [40, 50, 60],
    [70, 80, 90],
    [255, 0, 128],
  ];
  const coloured = (indices: readonly number[]) => indices.flatMap((i) => table[i]);

  it('codes of every width, plain and interlaced', async () => {
    // Enough variety to fill the table of 4096 codes and go on.
    const wide = Array.from({ length: 150 * 140 }, (_, i) => (((i * 2654435761) >>> 11) ^ (i >> 3)) & 3);
    for (const interlaced of [false, true]) {
      const { width, height, channels, data } = await decode(gif(150, 140, table, wide, { interlaced }));
      expect([width, height, channels]).toEqual([150, 140, 3]);
      expect(Buffer.from(data).equals(Buffer.from(coloured(wide)))).toBe(true);
    }
    const flat = new Array(60).fill(2);
    expect([...(await decode(gif(10, 6, table, flat))).data]).toEqual(coloured(flat));
  });

  it('the transparent colour is white', async () => {
    const { data } = await decode(gif(2, 1, table, [3, 1], { transparent: 3 }));
    expect([...data]).toEqual([255, 255, 255, 40, 50, 60]);
  });

  it('refuses what it cannot read, in one line', async () => {
    const good = gif(3, 2, table, [0, 1, 2, 3, 0, 1]);
    const at = good.indexOf(0x2c);
    const edited = (place: number, ...values: number[]) => {
      const bytes = Buffer.from(good);
      bytes.set(values, place);
      return bytes;
    };
    await refuses(
      () => decode(good.subarray(0, 20)),
      'data',
      /byte 13: expected a colour table, the file ends$/,
    );
    await refuses(() => decode(good.subarray(0, at + 12)), 'data', /expected another block, the file ends$/);
    await refuses(() => decode(edited(at, 7)), 'data', /expected an image or an extension, found 7$/);
    await refuses(() => decode(edited(at + 5, 0, 0)), 'data', /0 x 2 pixels, expected 1 to/);
    await refuses(() => decode(edited(at + 5, 4)), 'data', /pixels end after 6 of 8$/);
    await refuses(() => decode(edited(at + 5, 255, 31)), 'data', /8191 x 2 pixels cannot be in \d+ bytes$/);
    await refuses(() => decode(edited(at + 10, 9)), 'data', /codes of 9 bits, expected 2 to 8$/);
    await refuses(() => decode(edited(10, 0)), 'data', /byte \d+: expected an image or an extension/);
  });
});

describe('BMP', () => {
  const pixels = Uint8Array.from({ length: 5 * 3 * 3 }, (_, i) => (i * 11) & 255);
  const good = bmp(5, 3, pixels);

  it('24 bits, from the bottom up and from the top down', async () => {
    expect(await decode(good)).toEqual({ width: 5, height: 3, channels: 3, data: pixels });
    const down = Buffer.from(good);
    down.writeInt32LE(-3, 22);
    const { data } = await decode(down);
    expect([...data.subarray(0, 15)]).toEqual([...pixels.subarray(30)]);
  });

  it('a colour table, masks, and the old header', async () => {
    const table = Buffer.alloc(54 + 8 + 4);
    good.copy(table, 0, 0, 54);
    table.writeInt32LE(3, 18);
    table.writeInt32LE(1, 22);
    table.writeUInt16LE(1, 28);
    table.writeUInt32LE(62, 10);
    table.set([3, 2, 1, 0, 6, 5, 4, 0, 0b10100000], 54);
    expect([...(await decode(table)).data]).toEqual([4, 5, 6, 1, 2, 3, 4, 5, 6]);
    const masks = Buffer.alloc(54 + 12 + 4);
    good.copy(masks, 0, 0, 54);
    masks.writeInt32LE(2, 18);
    masks.writeInt32LE(1, 22);
    masks.writeUInt16LE(16, 28);
    masks.writeUInt32LE(3, 30);
    masks.writeUInt32LE(66, 10);
    for (const [i, mask] of [0xf800, 0x7e0, 0x1f].entries()) masks.writeUInt32LE(mask, 54 + 4 * i);
    masks.writeUInt16LE(0xf800, 66);
    masks.writeUInt16LE((31 << 5) | 31, 68);
    expect([...(await decode(masks)).data]).toEqual([255, 0, 0, 0, 125, 255]);
    const old = Buffer.alloc(26 + 4);
    old.write('BM');
    old.writeUInt32LE(26, 10);
    old.writeUInt32LE(12, 14);
    for (const [i, value] of [1, 1, 1, 24].entries()) old.writeUInt16LE(value, 18 + 2 * i);
    old.set([9, 8, 7], 26);
    expect([...(await decode(old)).data]).toEqual([7, 8, 9]);
  });

  it('refuses what it cannot read, in one line', async () => {
    const edited = (place: number, value: number) => {
      const bytes = Buffer.from(good);
      bytes.writeInt32LE(value, place);
      return bytes;
    };
    await refuses(() => decode(good.subarray(0, 20)), 'data', /expected a BMP header, found 20 bytes$/);
    await refuses(
      () => decode(good.subarray(0, 90)),
      'data',
      /byte 54: expected 48 bytes of pixels, found 36$/,
    );
    await refuses(() => decode(edited(18, -5)), 'data', /header: -5 x 3 pixels/);
    await refuses(() => decode(edited(30, 1)), 'data', /compressed by run lengths of 8 bits, not read$/);
    await refuses(() => decode(edited(28, 5)), 'data', /5 bits a pixel, unknown$/);
    await refuses(() => decode(edited(10, 2 ** 31 - 1)), 'data', /expected 48 bytes of pixels, found -\d+$/);
  });
});

it('files are classified by their first bytes, else by their names', async () => {
  const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1', 'latin1');
  const jpegBytes = Buffer.from('ffd8ffe0', 'hex');
  const kind = (bytes: Uint8Array, name: string) => classify(bytes, name);
  expect(kind(heic, 'IMG_1.jpg')).toEqual({ name: 'HEIC', read: false });
  expect(kind(Buffer.from('II*\0'), 'scan')).toEqual({ name: 'TIFF', read: false });
  expect(kind(jpegBytes, 'no ending')).toEqual({ name: 'JPEG', read: true });
  expect(kind(bmp(1, 1, new Uint8Array(3)), 'x')).toEqual({ name: 'BMP', read: true });
  expect(kind(await webp(1, 1, new Uint8Array(4)), 'x.png')).toEqual({ name: 'WebP', read: true });
  expect(kind(Buffer.from('rubbish'), 'x.PNG')).toEqual({ name: 'PNG', read: true });
  expect(kind(Buffer.from('rubbish'), 'x.HEIC')).toEqual({ name: 'HEIC', read: false });
  expect(kind(Buffer.from('BM is a note'), 'notes.txt')).toBeNull();
  expect(kind(Buffer.alloc(0), 'notes.txt')).toBeNull();
  await refuses(
    () => decode(heic),
    'data',
    /^p: a HEIC picture; expected PGM, PPM, PNG, JPEG, WebP, GIF or BMP$/,
  );
  expect(kind(encodePng({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }), 'x')?.name).toBe(
    'PNG',
  );
});
