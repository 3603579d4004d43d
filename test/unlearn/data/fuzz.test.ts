// Whatever bytes a reader is given, it answers with data or with a LetheError of one line, and the memory it asks for
// stays below a bound that depends on the size of the file: that is all a hostile file can achieve.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { encode as encodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import { parseCifar } from '../../../unlearn/data/readers/cifar.ts';
import { parseTable } from '../../../unlearn/data/readers/csv.ts';
import { readDecoded } from '../../../unlearn/data/readers/decoded.ts';
import { parseIdx } from '../../../unlearn/data/readers/idx.ts';
import { decodePicture } from '../../../unlearn/data/readers/pictures.ts';
import { bmp, exif, gif, jpegWith, webp } from './encoders.ts';
import { bufferBytes, cifar, idx, pnm, scratch } from './helpers.ts';

const MiB = 2 ** 20;

/** A few bytes set, some cut out, put in or repeated: mutants of a good file. */
function mutants(seeds: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    kind: fc.constantFrom('set', 'cut', 'insert', 'truncate', 'repeat', 'ones'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    head: fc.boolean(),
    length: fc.integer({ min: 1, max: 12 }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 5 }))
    .map(([seed, edits]) => {
      let bytes = Buffer.from(seed);
      for (const { kind, at, head, length, byte } of edits) {
        // Half of the edits hit the first 200 bytes, where headers are.
        const p = Math.floor(at * (head ? Math.min(200, bytes.length) : bytes.length));
        const before = bytes.subarray(0, p);
        const after = bytes.subarray(Math.min(bytes.length, p + length));
        if (kind === 'set' && p < bytes.length) bytes[p] = byte;
        else if (kind === 'cut') bytes = Buffer.concat([before, after]);
        else if (kind === 'insert')
          bytes = Buffer.concat([before, Buffer.alloc(length, byte), bytes.subarray(p)]);
        else if (kind === 'truncate') bytes = Buffer.from(before);
        else if (kind === 'repeat') bytes = Buffer.concat([bytes.subarray(0, p + length), bytes.subarray(p)]);
        else if (kind === 'ones') bytes.subarray(p, p + length).fill(255);
      }
      return bytes;
    });
}

async function survives(bytes: Buffer, read: (bytes: Buffer) => unknown, bound: number): Promise<void> {
  const before = bufferBytes();
  try {
    await read(bytes);
  } catch (error) {
    if (!(error instanceof LetheError)) throw error;
    expect(error.message).not.toMatch(/[\n\r]/);
    expect(['data', 'value', 'io']).toContain(error.kind);
  }
  expect(bufferBytes() - before).toBeLessThan(bound);
}

const picture = Uint8Array.from({ length: 24 * 24 * 4 }, (_, i) => (i * 31) & 255);
const rgb = picture.subarray(0, 24 * 24 * 3);
const photo = jpeg.encode({ width: 24, height: 24, data: picture }, 70).data;
const four = [1, 2, 3, 4].map((i) => [i, 10 * i, 20 * i]);
const indices = Uint8Array.from({ length: 24 * 24 }, (_, i) => (i * i) & 3);
const table = Buffer.from('a,"b,1",k\n1,2,"x"\n-3.5e1,4,y\n"5",6,x\n');

// Name, good files, reader, and the bound on memory for files of a few KiB.
const readers: [string, Uint8Array[], (bytes: Buffer) => unknown, number][] = [
  [
    'IDX',
    [idx([4, 3, 3], new Uint8Array(36)), idx([5], new Uint8Array(5))],
    (b) => parseIdx(b, 'f', 3),
    2 * MiB,
  ],
  [
    'CIFAR',
    [cifar([[1], [2]])],
    (b) => parseCifar(b, 'f', { labelBytes: 1, labelAt: 0, classes: [10] }),
    2 * MiB,
  ],
  ['CSV', [table], (b) => parseTable(b.toString('utf8'), 'f', {}), 2 * MiB],
  [
    'PNM',
    [pnm(9, 7, 3, (i) => i), Buffer.from('P2\n3 2\n255\n1 2 3 4 5 6\n')],
    (b) => decodePicture(b, 'f'),
    8 * MiB,
  ],
  [
    'PNG',
    [
      encodePng({ width: 24, height: 24, channels: 4, data: picture }),
      encodePng({ width: 24, height: 24, channels: 3, data: rgb }, { interlace: 'Adam7' }),
    ],
    (b) => decodePicture(b, 'f'),
    32 * MiB,
  ],
  ['JPEG', [photo, jpegWith(photo, exif(6))], (b) => decodePicture(b, 'f'), 64 * MiB],
  [
    'WebP',
    [await webp(24, 24, picture), await webp(24, 24, picture, { lossless: false, exif: exif(5) })],
    (b) => decodePicture(b, 'f'),
    // A small file may hold a flat picture of many pixels; and an instance of the decoder takes 16 MiB.
    1024 * MiB,
  ],
  [
    'GIF',
    [gif(24, 24, four, indices), gif(24, 24, four, indices, { transparent: 1, interlaced: true })],
    (b) => decodePicture(b, 'f'),
    64 * MiB,
  ],
  ['BMP', [bmp(24, 24, rgb)], (b) => decodePicture(b, 'f'), 8 * MiB],
];

it.each(readers)('%s: any mutant is data or a refusal, in bounded memory', async (_, seeds, read, bound) => {
  await fc.assert(
    fc.asyncProperty(mutants(seeds), (bytes) => survives(bytes, read, bound)),
    { numRuns: 400 },
  );
});

it.each(readers)('%s: so are random bytes', async (_, seeds, read, bound) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 16 }), (bytes, keep) =>
      survives(Buffer.concat([seeds[0].subarray(0, keep), bytes]), read, bound),
    ),
    { numRuns: 150 },
  );
});

it('gzip: any mutant decompresses within the limit or is refused', async () => {
  const path = join(await scratch(), 'f.gz');
  await fc.assert(
    fc.asyncProperty(mutants([gzipSync(table), gzipSync(Buffer.alloc(100_000))]), async (bytes) => {
      await writeFile(path, bytes);
      await survives(
        bytes,
        async () =>
          expect((await readDecoded(path, { maxBytes: 50_000 })).length).toBeLessThanOrEqual(50_000),
        4 * MiB,
      );
    }),
    { numRuns: 100 },
  );
});

it('PNG whose data is replaced by any zlib stream is a picture or a refusal', async () => {
  const good = Buffer.from(encodePng({ width: 4, height: 4, channels: 1, data: new Uint8Array(16) }));
  const start = good.indexOf('IDAT') + 4;
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), (raw) => {
      const data = deflateSync(raw);
      const bytes = Buffer.concat([good.subarray(0, start), data, good.subarray(good.length - 16)]);
      bytes.writeUInt32BE(data.length, start - 8);
      return survives(bytes, (b) => decodePicture(b, 'f'), 8 * MiB);
    }),
    { numRuns: 100 },
  );
});
