import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { applyManifest, forgetSet } from '../../../unlearn/data/forget.ts';
import { loadManifest, saveManifest } from '../../../unlearn/data/readers/manifest.ts';
import { imageAt } from '../../../unlearn/data/split.ts';
import type { ForgetSpec } from '../../../unlearn/types.ts';
import { pnm, refuses, scratch } from './helpers.ts';

const glyphs = await datasets.load('glyphs', { trainSize: 200, testSize: 20 });

async function people() {
  const files: Record<string, Buffer> = {};
  for (const person of ['s1', 's10', 'family/ann', 'family/bob']) {
    for (let k = 0; k < 5; k++) files[`${person}/${k}.pgm`] = pnm(2, 2, 1, (i) => i * k + person.length);
  }
  return datasets.load('folder', { dir: await scratch(files), testPerClass: 1 });
}

describe('forgetSet', () => {
  it('takes a class by name or index', () => {
    for (const which of ['star', 3]) {
      const { forget, retain, manifest } = forgetSet(glyphs, { class: which });
      expect([forget.size, retain.size]).toEqual([20, 180]);
      expect(forget.labels.every((l) => l === 3) && retain.labels.every((l) => l !== 3)).toBe(true);
      expect([manifest.kind, manifest.classIndex, manifest.count]).toEqual(['class', 3, 20]);
    }
  });

  it('takes several classes, by names and indices, each once', () => {
    for (const which of [
      ['star', 5],
      [5, 3],
      ['moon', 'star', 'moon'],
    ]) {
      const { forget, retain, manifest } = forgetSet(glyphs, { class: which });
      expect([forget.size, retain.size]).toEqual([40, 160]);
      expect(forget.labels.every((l) => l === 3 || l === 5)).toBe(true);
      expect(retain.labels.some((l) => l === 3 || l === 5)).toBe(false);
      expect(manifest).toMatchObject({ kind: 'class', classes: [3, 5], classIndex: null, count: 40 });
    }
    // However they are named.
    const { ids } = forgetSet(glyphs, { class: [3, 5] }).manifest;
    expect(forgetSet(glyphs, { ids }).manifest).toMatchObject({ kind: 'class', classes: [3, 5] });
    const { manifest } = forgetSet(glyphs, { ids: ids.slice(1) });
    expect(manifest).toMatchObject({ kind: 'samples', classes: [], classIndex: null });
    expect(forgetSet(glyphs, { class: ['star'] }).manifest).toMatchObject({ classes: [3], classIndex: 3 });
  });

  it('takes a seeded share, of all or of one class', () => {
    const tenth = forgetSet(glyphs, { ratio: 0.1, seed: 5 });
    expect([tenth.forget.size, tenth.retain.size, tenth.manifest.kind]).toEqual([20, 180, 'samples']);
    expect(forgetSet(glyphs, { ratio: 0.1, seed: 5 }).manifest).toEqual(tenth.manifest);
    expect(forgetSet(glyphs, { ratio: 0.1, seed: 6 }).manifest.ids).not.toEqual(tenth.manifest.ids);
    expect([...tenth.forget.ids, ...tenth.retain.ids].sort((a, b) => a - b)).toEqual([...glyphs.train.ids]);
    expect([...tenth.forget.ids]).toEqual([...tenth.forget.ids].sort((a, b) => a - b));
    const half = forgetSet(glyphs, { ratio: 0.5, withinClass: 'moon' });
    expect([half.forget.size, half.manifest.kind, half.manifest.classIndex]).toEqual([10, 'samples', null]);
    expect(half.forget.labels.every((l) => l === 5)).toBe(true);
    const whole = forgetSet(glyphs, { ratio: 1, withinClass: 'moon' });
    expect([whole.forget.size, whole.manifest.kind, whole.manifest.classIndex]).toEqual([20, 'class', 5]);
  });

  it('takes ids in any order, each once, and files', async () => {
    const { forget } = forgetSet(glyphs, { ids: [30, 2, 30, 7] });
    expect([...forget.ids]).toEqual([2, 7, 30]);
    expect(imageAt(forget, 1)).toEqual(imageAt(glyphs.train, 7));
    const data = await people();
    const files = [data.train.files![3], data.train.files![1]];
    expect([...forgetSet(data, { files }).forget.files!]).toEqual([files[1], files[0]]);
  });

  it('takes a person: a class, or a folder below one, and never one whose name only begins alike', async () => {
    const data = await people();
    const s1 = forgetSet(data, { person: 's1' });
    expect([s1.forget.size, s1.manifest.kind]).toEqual([4, 'class']);
    expect(s1.forget.files!.every((f) => f.startsWith('s1/'))).toBe(true);
    const ann = forgetSet(data, { person: 'family/ann' });
    expect(ann.manifest.kind).toBe('samples');
    expect(ann.forget.files!.every((f) => f.startsWith('family/ann/'))).toBe(true);
    await refuses(() => forgetSet(data, { person: 's' }), 'value', /unknown person 's'/);
  });

  it('refuses what names nothing, everything or too much, with the nearest name', async () => {
    const cases: [unknown, RegExp][] = [
      [{ class: 'Star' }, /^unknown class 'Star': did you mean 'star'\? known: circle, triangle, /],
      [{ class: 'strar' }, /did you mean 'star'\?/],
      [{ class: 'zebra' }, /^unknown class 'zebra': known: circle/],
      [{ class: ['star', 'mon'] }, /^unknown class 'mon': did you mean 'moon'\?/],
      [{ class: [] }, /nothing in the training split of glyphs is meant by/],
      [{ class: [...glyphs.classes] }, /all 200 training samples of glyphs would go/],
      [{ class: 10 }, /^class 10: expected an index from 0 to 9$/],
      [{ class: '__proto__' }, /^unknown class '__proto__'/],
      [{ ratio: 0 }, /expected a number above 0 and at most 1, got 0$/],
      [{ ratio: 1 }, /all 200 training samples of glyphs would go/],
      [{ ratio: Number.NaN }, /got NaN$/],
      [{ ratio: 0.1, seed: 1.5 }, /^seed/],
      [{ ids: [] }, /nothing in the training split of glyphs is meant by/],
      [{ ids: [3, 777] }, /no training sample of glyphs has id 777$/],
      [{ files: ['a'] }, /the samples of glyphs are not files; use ids$/],
      [{}, /expected exactly one of class, ratio, ids, files, person, mislabelled, scores, got none$/],
      [{ class: 1, ids: [1] }, /expected exactly one of .*, got class, ids$/],
      [{ class: 1, seed: 2 }, /'seed' does not go with 'class'/],
    ];
    for (const [spec, line] of cases)
      await refuses(() => forgetSet(glyphs, spec as ForgetSpec), 'value', line);
    const data = await people();
    await refuses(
      () => forgetSet(data, { files: ['s1/9.pgm'] }),
      'value',
      /unknown training file 's1\/9.pgm': did you mean 's1\/\d.pgm'/,
    );
  });
});

describe('manifests', () => {
  it('of before there could be several classes are read', async () => {
    for (const spec of [{ class: 3 }, { ratio: 0.1 }] as const) {
      const { manifest } = forgetSet(glyphs, spec);
      const { classes: _, ...old } = manifest;
      const path = join(await scratch(), 'old.json');
      await writeFile(path, JSON.stringify(old));
      expect(await loadManifest(path)).toEqual(manifest);
    }
    const several = forgetSet(glyphs, { class: [3, 5] }).manifest;
    const path = join(await scratch(), 'several.json');
    await saveManifest(path, several);
    expect(await loadManifest(path)).toEqual(several);
    expect(applyManifest(glyphs, several).manifest).toEqual(several);
  });

  const made = forgetSet(glyphs, { ratio: 0.05, seed: 2 });

  it('come back from disk and give the same cut', async () => {
    const path = join(await scratch(), 'forget.json');
    await saveManifest(path, made.manifest);
    const read = await loadManifest(path);
    expect(read).toEqual(made.manifest);
    const again = applyManifest(glyphs, read);
    expect(again.manifest).toEqual(made.manifest);
    expect(again.forget.images).toEqual(made.forget.images);
    expect([...again.retain.ids]).toEqual([...made.retain.ids]);
  });

  it('refuse another data set, another sample, another id', async () => {
    const other = await datasets.load('glyphs', { trainSize: 200, testSize: 20, seed: 1 });
    await refuses(
      () => applyManifest(other, made.manifest),
      'data',
      /made for glyphs with sha256 [0-9a-f]{12}\.\.\., this is glyphs with [0-9a-f]{12}\.\.\.$/,
    );
    const { hashes, ids } = made.manifest;
    const swapped = { ...made.manifest, hashes: [hashes[1], hashes[0], ...hashes.slice(2)] };
    await refuses(
      () => applyManifest(glyphs, swapped),
      'data',
      /id \d+: the sample differs from the one the manifest names$/,
    );
    const stray = { ...made.manifest, ids: [...ids.slice(1), 5000] };
    await refuses(() => applyManifest(glyphs, stray), 'data', /no training sample of glyphs has id 5000$/);
  });

  it('refuse to load when malformed', async () => {
    const path = join(await scratch(), 'forget.json');
    await saveManifest(path, made.manifest);
    const good = JSON.parse(await readFile(path, 'utf8'));
    const cases: [unknown, RegExp][] = [
      ['{"version": 1', /expected a forget manifest in JSON$/],
      [null, /expected an object$/],
      [{ ...good, version: 2 }, /expected "version": 1$/],
      [{ ...good, ids: [1.5] }, /"ids" to be a list of ids$/],
      [{ ...good, ids: good.ids.map(() => 1) }, /"ids" to be at least one, each once$/],
      [{ ...good, hashes: good.hashes.slice(1) }, /as many hashes/],
      [{ ...good, hashes: good.hashes.map(() => 'x') }, /"hashes" to be a list of sha256 in hex$/],
      [{ ...good, count: 3 }, /"count", as ids$/],
      [{ ...good, datasetHash: 7 }, /"datasetHash" to be a sha256 in hex$/],
      [
        { ...good, kind: 'class' },
        /"kind" to be "class" with the indices of "classes", or "samples" without$/,
      ],
      [{ ...good, classes: [1] }, /"kind" to be "class" with/],
      [{ ...good, kind: 'class', classes: [1, 1] }, /"kind" to be "class" with/],
      [{ ...good, kind: 'class', classes: [1, 2], classIndex: 1 }, /"kind" to be "class" with/],
      [{ ...good, spec: null }, /"spec" to be an object$/],
    ];
    for (const [content, line] of cases) {
      await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
      await refuses(() => loadManifest(path), 'data', line);
    }
    await refuses(() => loadManifest(`${path}.none`), 'io', /ENOENT/);
  });
});
