import { deflateSync } from 'node:zlib';
import { encode as encodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../../unlearn/data/readers/pictures.ts';
import { resize, withChannels } from '../../../unlearn/data/readers/resize.ts';
import { bufferBytes, ihdr, png, pnm, refuses } from './helpers.ts';

const colour = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => i * 4);
const decode = (bytes: Uint8Array) => decodePicture(bytes, 'p');

const none = Buffer.alloc(0);

describe('pictures', () => {
  it('PGM and PPM, binary and text, any largest value', async () => {
    expect(await decode(pnm(5, 4, 3, (i) => i * 4))).toEqual({
      width: 5,
      height: 4,
      channels: 3,
      data: colour,
    });
    expect([...(await decode(Buffer.from('P2 2 1 # two\n15\n0 15\n'))).data]).toEqual([0, 255]);
    expect([...(await decode(Buffer.from('P3\n1 1 100 0 50 100'))).data]).toEqual([0, 128, 255]);
    const wide = Buffer.concat([Buffer.from('P5 2 1 65535\n'), Buffer.of(255, 255, 128, 0)]);
    expect([...(await decode(wide)).data]).toEqual([255, 128]);
  });

  it('PNG of every kind', async () => {
    const rgb = encodePng({ width: 5, height: 4, channels: 3, data: colour });
    expect(await decode(rgb)).toEqual({ width: 5, height: 4, channels: 3, data: colour });
    const adam = encodePng({ width: 5, height: 4, channels: 3, data: colour }, { interlace: 'Adam7' });
    expect((await decode(adam)).data).toEqual(colour);
    const alpha = encodePng({
      width: 2,
      height: 1,
      channels: 4,
      data: Uint8Array.of(100, 0, 255, 255, 100, 0, 255, 0),
    });
    expect([...(await decode(alpha)).data]).toEqual([100, 0, 255, 255, 255, 255]);
    const deep = encodePng({
      width: 2,
      height: 1,
      channels: 1,
      depth: 16,
      data: Uint16Array.of(0xffff, 0x8000),
    });
    expect([...(await decode(deep)).data]).toEqual([255, 128]);
    const bits = png([
      ['IHDR', ihdr(10, 1, 1, 0)],
      ['IDAT', deflateSync(Buffer.of(0, 0b10100000, 0b01000000))],
      ['IEND', none],
    ]);
    expect([...(await decode(bits)).data]).toEqual([255, 0, 255, 0, 0, 0, 0, 0, 0, 255]);
    const palette = png([
      ['IHDR', ihdr(3, 1, 2, 3)],
      ['PLTE', Buffer.of(1, 2, 3, 4, 5, 6)],
      ['iCCP', Buffer.concat([Buffer.from('bomb\0\0'), deflateSync(Buffer.alloc(1e6))])],
      ['IDAT', deflateSync(Buffer.of(0, 0b00010000))],
      ['IEND', none],
    ]);
    expect([...(await decode(palette)).data]).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 3]);
  });

  it('JPEG, within a few grey levels', async () => {
    const rgba = new Uint8Array(16 * 16 * 4).fill(255);
    for (let i = 0; i < 256; i++) rgba.set([200, 100, 50], i * 4);
    const { width, height, channels, data } = await decode(
      jpeg.encode({ width: 16, height: 16, data: rgba }, 95).data,
    );
    expect([width, height, channels]).toEqual([16, 16, 3]);
    for (let i = 0; i < data.length; i++) expect(Math.abs(data[i] - [200, 100, 50][i % 3])).toBeLessThan(6);
  });

  const good = Buffer.from(encodePng({ width: 5, height: 4, channels: 3, data: colour }));
  const badSum = Buffer.from(good);
  badSum[good.length - 20] ^= 1;
  const photo = Buffer.from(
    jpeg.encode({ width: 16, height: 16, data: new Uint8Array(1024).fill(90) }, 80).data,
  );
  const frame = photo.indexOf(Buffer.of(0xff, 0xc0));
  const huge = Buffer.from(photo);
  huge.writeUInt16BE(8000, frame + 5);
  huge.writeUInt16BE(8000, frame + 7);
  const absurd = Buffer.from(photo);
  absurd.writeUInt16BE(65535, frame + 5);
  absurd.writeUInt16BE(65535, frame + 7);
  const raw = deflateSync(Buffer.alloc(64));
  const malformed: [string, Uint8Array, RegExp][] = [
    ['nothing', none, /^p: an empty file$/],
    [
      'text',
      Buffer.from('Dear reader'),
      /^p: byte 0: expected a PGM, PPM, PNG, JPEG, WebP, GIF or BMP picture$/,
    ],
    ['PGM without a width', Buffer.from('P5\nwide'), /byte 3: expected the width$/],
    ['PGM too short', pnm(5, 4, 1, () => 0).subarray(0, 30), /expected 20 bytes of pixels, found/],
    [
      'PGM too long',
      Buffer.concat([pnm(5, 4, 1, () => 0), none, Buffer.of(1)]),
      /expected 20 bytes of pixels, found 21$/,
    ],
    [
      'PGM of absurd size',
      Buffer.from('P5 999999999 999999999 255\n'),
      /header: 999999999 x 999999999 pixels, expected 1 to 67108864 in all$/,
    ],
    ['PGM of no size', Buffer.from('P5 0 3 255\n'), /header: 0 x 3 pixels/],
    ['PGM value too large', Buffer.from('P5 1 1 7\n\x09', 'latin1'), /byte 9: value 9, expected at most 7$/],
    ['PGM of largest value 0', Buffer.from('P5 1 1 0\n0'), /largest value 0, expected 1 to 65535$/],
    [
      'text PGM that lies',
      Buffer.from('P2 9999 6000 255 1 2'),
      /expected 59994000 values, the file is too short$/,
    ],
    ['PNG signature alone', good.subarray(0, 8), /byte 8: expected another PNG chunk, the file ends$/],
    ['PNG cut off', good.subarray(0, 50), /chunk of \d+ bytes is longer than the file$/],
    ['PNG trailing bytes', Buffer.concat([good, Buffer.of(1)]), /1 bytes follow the end of the PNG$/],
    ['PNG wrong checksum', badSum, /damaged PNG/],
    [
      'PNG bomb',
      png([
        ['IHDR', ihdr(2, 2, 8, 0)],
        ['IDAT', deflateSync(Buffer.alloc(5e7))],
        ['IEND', none],
      ]),
      /pixels decompress to more, the header asks for 6$/,
    ],
    [
      'PNG with too few pixels',
      png([
        ['IHDR', ihdr(2000, 2000, 8, 0)],
        ['IDAT', raw],
        ['IEND', none],
      ]),
      /pixels decompress to 64 bytes, the header asks for 4002000$/,
    ],
    [
      'PNG of absurd size',
      png([
        ['IHDR', ihdr(2 ** 31, 2 ** 31, 8, 0)],
        ['IDAT', raw],
        ['IEND', none],
      ]),
      /2147483648 x 2147483648 pixels/,
    ],
    [
      'PNG without header',
      png([
        ['IDAT', raw],
        ['IEND', none],
      ]),
      /byte 8: expected one IHDR chunk, at the start$/,
    ],
    [
      'PNG with two headers',
      png([
        ['IHDR', ihdr(1, 1, 8, 0)],
        ['IHDR', ihdr(9, 9, 8, 0)],
        ['IEND', none],
      ]),
      /expected one IHDR chunk/,
    ],
    [
      'PNG without palette',
      png([
        ['IHDR', ihdr(1, 1, 8, 3)],
        ['IDAT', deflateSync(Buffer.of(0, 0))],
        ['IEND', none],
      ]),
      /an indexed picture without a palette$/,
    ],
    [
      'PNG palette index too large',
      png([
        ['IHDR', ihdr(1, 1, 8, 3)],
        ['PLTE', Buffer.of(1, 2, 3)],
        ['IDAT', deflateSync(Buffer.of(0, 9))],
        ['IEND', none],
      ]),
      /damaged PNG/,
    ],
    [
      'PNG of depth 3',
      png([
        ['IHDR', ihdr(1, 1, 3, 0)],
        ['IDAT', raw],
        ['IEND', none],
      ]),
      /unknown colour type or depth$/,
    ],
    ['JPEG without frame', Buffer.of(0xff, 0xd8, 0xff, 0xd9), /no frame header/],
    ['JPEG cut off', photo.subarray(0, photo.length - 12), /damaged JPEG/],
    ['JPEG whose size lies', huge, /8000 x 8000 pixels cannot be in \d+ bytes$/],
    ['JPEG of absurd size', absurd, /65535 x 65535 pixels, expected 1 to/],
  ];
  it.each(malformed)('refuse %s', async (_, bytes, line) => {
    const before = bufferBytes();
    await refuses(() => decode(bytes), 'data', line);
    expect(bufferBytes() - before).toBeLessThan(32 * 2 ** 20);
  });
});

describe('resize', () => {
  it('averages areas, to the nearest byte', () => {
    const grey = {
      width: 4,
      height: 2,
      channels: 1 as const,
      data: Uint8Array.of(0, 2, 10, 20, 4, 6, 30, 40),
    };
    expect([...resize(grey, 1, 2).data]).toEqual([3, 25]);
    // Three columns from four: each new one covers 4/3 of the old.
    expect([...resize(grey, 2, 3).data]).toEqual([1, 6, 18, 5, 18, 38]);
    expect([...resize(grey, 2, 8).data].slice(0, 8)).toEqual([0, 0, 2, 2, 10, 10, 20, 20]);
    expect(resize(grey, 2, 4)).toBe(grey);
  });

  it('keeps a constant picture constant at any size', () => {
    const data = new Uint8Array(7 * 5 * 3).fill(201);
    for (const [h, w] of [
      [1, 1],
      [3, 4],
      [7, 5],
      [16, 9],
    ]) {
      expect(new Set(resize({ width: 5, height: 7, channels: 3, data }, h, w).data)).toEqual(new Set([201]));
    }
  });

  it('turns colour to grey by luma and grey to colour', () => {
    const rgb = { width: 1, height: 1, channels: 3 as const, data: Uint8Array.of(255, 0, 0) };
    expect([...withChannels(rgb, 1).data]).toEqual([76]);
    expect([...withChannels(withChannels(rgb, 1), 3).data]).toEqual([76, 76, 76]);
  });
});
