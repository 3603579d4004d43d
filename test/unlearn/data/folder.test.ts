import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { naturalCompare } from '../../../unlearn/data/readers/scan.ts';
import { bmp, gif, webp } from './encoders.ts';
import { pnm, refuses, scratch } from './helpers.ts';

/** People s1, s2, s10 with ten grey pictures of 4 x 3 each. */
function people(): Record<string, Buffer> {
  const files: Record<string, Buffer> = {};
  for (const person of ['s1', 's2', 's10']) {
    for (let k = 1; k <= 10; k++) files[`${person}/${k}.pgm`] = pnm(4, 3, 1, (i) => i * k);
  }
  return files;
}

describe('image folders', () => {
  it('sort names the natural way; ids are places in that order', async () => {
    const data = await datasets.load('folder', { dir: await scratch(people()), testPerClass: 3 });
    expect(data.classes).toEqual(['s1', 's2', 's10']);
    expect([data.train.size, data.test.size, data.shape]).toEqual([21, 9, [3, 4, 1]]);
    const all = [...data.train.ids].map((id, i) => [id, data.train.files![i]] as const);
    for (const [id, file] of all)
      expect(file).toBe(`${['s1', 's2', 's10'][Math.floor(id / 10)]}/${(id % 10) + 1}.pgm`);
    expect([...data.train.ids]).toEqual([...data.train.ids].sort((a, b) => a - b));
    expect(new Set([...data.train.ids, ...data.test.ids]).size).toBe(30);
    const at = data.train.files!.indexOf('s10/10.pgm');
    if (at >= 0) expect([...data.train.images.subarray(at * 12, at * 12 + 3)]).toEqual([0, 10, 20]);
  });

  it('choose test pictures by seed and name alone: the same again, others for another seed, few moved by a new file', async () => {
    const files = people();
    const test = async (more: Record<string, Buffer>, seed = 0) => {
      const data = await datasets.load('folder', {
        dir: await scratch({ ...files, ...more }),
        testPerClass: 3,
        seed,
      });
      return data.test.files!;
    };
    const first = await test({});
    expect(await test({})).toEqual(first);
    expect(await test({}, 1)).not.toEqual(first);
    const after = await test({
      's1/11.pgm': files['s1/1.pgm'],
      'aaa/1.pgm': files['s1/1.pgm'],
      'aaa/2.pgm': files['s1/1.pgm'],
      'aaa/3.pgm': files['s1/1.pgm'],
      'aaa/4.pgm': files['s1/1.pgm'],
    });
    expect(first.filter((file) => !after.includes(file)).length).toBeLessThanOrEqual(1);
  });

  it('decode PGM, PPM, PNG and JPEG together, resized, in colour unless all are grey', async () => {
    const dir = await scratch({
      'a/1.pgm': pnm(4, 4, 1, () => 100),
      'a/2.ppm': pnm(8, 2, 3, (i) => [10, 20, 30][i % 3]),
      'b/1.PNG': encodePng({ width: 3, height: 3, channels: 1, data: new Uint8Array(9).fill(7) }),
      'b/2.jpeg': jpeg.encode({ width: 8, height: 8, data: new Uint8Array(256).fill(255) }, 90).data,
    });
    const data = await datasets.load('folder', { dir, size: [2, 2], testPerClass: 1 });
    expect(data.shape).toEqual([2, 2, 3]);
    const pixel = new Map<string, number[]>();
    for (const split of [data.train, data.test]) {
      split.files!.forEach((file, i) => {
        pixel.set(file, [...split.images.subarray(i * 12, i * 12 + 3)]);
      });
    }
    expect(pixel.get('a/1.pgm')).toEqual([100, 100, 100]);
    expect(pixel.get('a/2.ppm')).toEqual([10, 20, 30]);
    expect(pixel.get('b/1.PNG')).toEqual([7, 7, 7]);
    expect(pixel.get('b/2.jpeg')).toEqual([255, 255, 255]);
    expect(
      (await datasets.load('folder', { dir, size: [2, 2], testPerClass: 1, channels: 1 })).shape,
    ).toEqual([2, 2, 1]);
  });

  it('use folders named train and test as the splits', async () => {
    const picture = pnm(2, 2, 1, (i) => i);
    const dir = await scratch({
      'train/a/1.pgm': picture,
      'train/b/1.pgm': picture,
      'train/b/2.pgm': picture,
      'test/b/9.pgm': picture,
    });
    const data = await datasets.load('folder', { dir });
    expect([data.train.files, data.test.files]).toEqual([
      ['train/a/1.pgm', 'train/b/1.pgm', 'train/b/2.pgm'],
      ['test/b/9.pgm'],
    ]);
    expect([...data.test.labels]).toEqual([1]);
    expect(data.notes.join()).toMatch(/1 of 2 classes have no test sample/);
  });

  it('leave out hidden files, other files and links that lead out; follow links that stay', async () => {
    const outside = await scratch({ 'secret.pgm': pnm(4, 3, 1, () => 1) });
    const dir = await scratch({ ...people(), 's1/.hidden.pgm': 'x', '.git/x.pgm': 'x', 's2/notes.txt': 'x' });
    await symlink(join(outside, 'secret.pgm'), join(dir, 's1', 'out.pgm'));
    await symlink(outside, join(dir, 'person'));
    await symlink(join(dir, 's1', '1.pgm'), join(dir, 's2', 'inside.pgm'));
    await symlink(join(dir, 'nowhere'), join(dir, 's2', 'broken.pgm'));
    const data = await datasets.load('folder', { dir, testPerClass: 3 });
    const files = [...data.train.files!, ...data.test.files!];
    expect(data.classes).toEqual(['s1', 's2', 's10']);
    expect(files.length).toBe(31);
    expect(files).toContain('s2/inside.pgm');
    expect(data.notes).toEqual([
      '2 hidden entries left out',
      '1 file that is no picture left out: s2/notes.txt',
      '3 links out of the folder or to nothing left out: person, s1/out.pgm, s2/broken.pgm',
    ]);
  });

  it('do not follow a link in a circle for ever', async () => {
    const dir = await scratch(people());
    await symlink(join(dir, 's1'), join(dir, 's1', 'again'));
    await refuses(() => datasets.load('folder', { dir }), 'data', /folders more than 8 deep$/);
  });

  it('take names such as __proto__ as they are', async () => {
    const picture = pnm(2, 2, 1, (i) => i);
    const dir = await scratch({
      '__proto__/1.pgm': picture,
      '__proto__/2.pgm': picture,
      'constructor/1.pgm': picture,
      'constructor/2.pgm': picture,
    });
    const data = await datasets.load('folder', { dir, testPerClass: 1 });
    expect(data.classes).toEqual(['__proto__', 'constructor']);
    expect((await datasets.describe('folder', { dir, testPerClass: 1 })).classes[0]).toEqual({
      name: '__proto__',
      train: 1,
      test: 1,
    });
  });

  it('refuse what they cannot use, in one line', async () => {
    const load =
      (files: Record<string, string | Buffer>, options = {}) =>
      async () =>
        datasets.load('folder', { dir: await scratch(files), ...options });
    const picture = pnm(2, 2, 1, (i) => i);
    await refuses(
      load({ 'a/1.pgm': picture, 'a/2.pgm': picture }),
      'data',
      /expected a folder for each of two or more classes, found 1$/,
    );
    await refuses(
      load({ 'a/1.pgm': picture, 'b/1.pgm': picture }),
      'data',
      /: nothing to train on in a \(1 picture, for testing\), b \(1 picture, for testing\); add pictures, or take the folder of the class away$/,
    );
    await refuses(
      load({ ...people(), 's2/3.pgm': picture }),
      'data',
      /: pictures of 2 sizes, such as 3 x 4 \(29\), 2 x 2 \(1\) \(height x width\); give a size to resize to, such as size: \[4, 4\]$/,
    );
    await refuses(
      load({ ...people(), 's2/3.pgm': 'P5 1' }),
      'data',
      /: 1 picture cannot be read: s2\/3.pgm \(byte 4: expected the height\); mend or remove them, or leave them out with skipBad \(--skip-bad\)$/,
    );
    await refuses(load({ ...people(), 's2/3\n.pgm': 'zip' }), 'data', /s2.3\\n.pgm \(byte 0: expected a PGM/);
    await refuses(
      load(people(), { size: [0, 3] }),
      'value',
      /^folder: size.0: expected a whole number from 1 to 4096, got 0$/,
    );
    await refuses(load(people(), { testPerClass: 1, testRatio: 0.1 }), 'value', /expected one of them$/);
    await refuses(
      load(people(), { testRatio: 1 }),
      'value',
      /^folder: testRatio: expected a number between 0/,
    );
    await refuses(
      () => datasets.load('folder'),
      'value',
      /^folder: give the folder of the pictures: --data DIR/,
    );
    await refuses(
      () => datasets.load('folder', { dir: 'no/such' }),
      'value',
      new RegExp(`^folder: no folder ${join(process.cwd(), 'no', 'such')}$`),
    );
    await refuses(
      load({ '1.pgm': picture, '2.pgm': picture }),
      'data',
      /expected a folder for each of two or more classes, found 0 \(and 2 pictures in none\)$/,
    );
  });
});

describe('pictures that cannot be read', () => {
  const files = {
    ...people(),
    's1/broken.jpg': Buffer.from('ffd8ffe0', 'hex'),
    's2/empty.png': '',
    's2/11.pgm': 'P5 4',
  };

  it('are all named in one error, ten of many', async () => {
    const dir = await scratch(files);
    await refuses(
      () => datasets.load('folder', { dir }),
      'data',
      /: 3 pictures cannot be read: s1\/broken.jpg \(.+\), s2\/11.pgm \(.+\), s2\/empty.png \(an empty file\); mend/,
    );
    const many = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`s1/x${i}.png`, '']));
    await refuses(
      async () => datasets.load('folder', { dir: await scratch({ ...people(), ...many }) }),
      'data',
      /: 14 pictures cannot be read: s1\/x0.png .*s1\/x9.png \(an empty file\) and 4 more; mend/,
    );
  });

  it('are left out with skipBad, named in the warnings; ids and the split of the others stay', async () => {
    const whole = await datasets.load('folder', { dir: await scratch(people()), testPerClass: 3 });
    const data = await datasets.load('folder', { dir: await scratch(files), testPerClass: 3, skipBad: true });
    expect(data.warnings).toEqual([
      expect.stringMatching(/^3 pictures left out for being unreadable: s1\/broken/),
    ]);
    expect(data.notes[0]).toBe(data.warnings?.[0]);
    expect([data.train.files, data.test.files]).toEqual([whole.train.files, whole.test.files]);
    // Places among all files: s1/broken.jpg comes after s1/10.pgm.
    expect(data.train.ids[data.train.files!.findIndex((file) => file.startsWith('s2'))]).toBeGreaterThan(10);
  });
});

it('every format, told by content; kinds that are not read and loose pictures are warned of', async () => {
  const rgb = new Uint8Array(27).fill(9);
  const heic = '\0\0\0\x18ftypheic\0\0\0\0mif1';
  const dir = await scratch({
    'a/1.webp': await webp(3, 3, new Uint8Array(36).fill(255)),
    'a/2': bmp(3, 3, rgb),
    'a/3.jpg': gif(3, 3, [[9, 9, 9]], new Uint8Array(9)),
    'b/1.bmp': bmp(3, 3, rgb),
    'b/2.pgm': pnm(3, 3, 1, () => 9),
    'b/3.heic': heic,
    'b/4.jpg': heic,
    'loose.bmp': bmp(3, 3, rgb),
    'readme.txt': 'x',
  });
  const data = await datasets.load('folder', { dir, testPerClass: 1 });
  expect([...data.train.files!, ...data.test.files!].sort()).toEqual([
    'a/1.webp',
    'a/2',
    'a/3.jpg',
    'b/1.bmp',
    'b/2.pgm',
  ]);
  expect(data.warnings).toEqual([
    '2 HEIC pictures left out, a kind that is not read: b/3.heic, b/4.jpg; convert to JPEG or PNG to use them',
    '1 picture beside the folders of the classes left out: loose.bmp',
  ]);
  expect(data.notes.slice(2)).toEqual(['1 file that is no picture left out: readme.txt']);
});

it('natural order', () => {
  const names = ['s10', 's2', 's1', 's02', 'a', 's', '10', '9', 's1b', 'S1'];
  expect([...names].sort(naturalCompare)).toEqual([
    '9',
    '10',
    'S1',
    'a',
    's',
    's1',
    's1b',
    's02',
    's2',
    's10',
  ]);
});
