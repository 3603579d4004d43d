// `lethe memorisation`: what it writes and says; what it cannot begin with.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestWorld } from './world.ts';

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.close());

it('writes a file of scores and says how sure they are', async () => {
  const { code, out } = await world.run(['memorisation', 'DIR/toy.yaml', '--out', 'DIR/s.csv']);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^DIR\/s\.csv: scores of 20 training images from 4 models \(1\.0s of training\), kept in DIR\/s\.bank\n/,
  );
  expect(out).toContain(
    'largest standard error of a score: 0.50; no score can be above twice that: more --pairs tell more\n',
  );
  expect(out).toMatch(/^of the images +least +25 % +half +75 % +90 % +95 % +99 % +all *$/m);
  const lines = readFileSync(world.path('s.csv'), 'utf8').split('\n');
  expect(lines.slice(0, 2)).toEqual(['id,score,in,out,noise', '0,0.5,1,0.5,0.5']);
  expect(lines).toHaveLength(22);
  const json = await world.run([
    'memorisation',
    'DIR/toy.yaml',
    '--out',
    'DIR/s.csv',
    '--pairs',
    '3',
    '--json',
  ]);
  expect(JSON.parse(json.out)).toMatchObject({ samples: 20, models: 6, noise: 0.5, sure: 0 });
});

it('needs a recipe and a file, and pairs that can be', async () => {
  const said = async (...words: string[]) => world.run(['memorisation', ...words]);
  expect(await said('DIR/toy.yaml')).toMatchObject({ code: 2, err: expect.stringContaining('--out <file>') });
  expect((await said('DIR/none.yaml', '--out', 'DIR/s.csv')).err).toContain('no recipe DIR/none.yaml');
  expect((await said('DIR/toy.yaml', '--out', 'DIR/s.csv', '--pairs', '0')).err).toContain('pairs: expected');
});
