// `lethe check-method` on files: one that keeps all promises, one that breaks some, and files that hold no method.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestWorld } from './world.ts';

// In the repository, so that `lethe` means its sources.
const folder = fileURLToPath(new URL('../../build/test-check-method/', import.meta.url));
const example = fileURLToPath(new URL('../../examples/next-best.mjs', import.meta.url));
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const world = new TestWorld();
beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});
afterAll(() => {
  world.close();
  rmSync(folder, { recursive: true, force: true });
});
const check = (...argv: string[]) => world.run(['check-method', '--device', 'reference', ...argv]);

test('the example keeps its promises: a line each, exit code 0', async () => {
  const { code, out, err } = await check(example);
  expect([code, err]).toEqual([0, 'all promises are kept (22 checks)\n']);
  expect(out).toMatchInlineSnapshot(`
    "Next best class (nextBest) on reference
    ✓ runs
    ✓ input untouched
    ✓ parameters kept
    ✓ effect
    ✓ cost
    ✓ details
    ✓ progress
    ✓ leaks
    ✓ deterministic
    ✓ cancellation
    ✓ resume
    ✓ nothing to forget
    ✓ several classes
    - mask: it has no option mask
    with batchNorm "frozen"
    ✓ runs
    ✓ input untouched
    ✓ parameters kept
    ✓ effect
    ✓ cost
    ✓ details
    ✓ progress
    ✓ leaks
    "
  `);
});

const record = (change = '', imports = 'define, section') => `import { ${imports} } from 'lethe/method';
export default define({
  name: 'mine',
  title: 'Mine',
  paper: 'none',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section('Nothing.', {}),
  inherits: [],
  search: {},
  cost: ({ forget }) => ({ train: forget, infer: 0 }),
  forgetStatistics: () => false,
  async forget(_, { variables: { params, state }, forget, onProgress }) {
    onProgress?.({ phase: 'mine', fraction: 1 });
    return { variables: { params, state }, cost: { seconds: 1, gradientSteps: 1, samplesVisited: forget.size }, details: {} };
  },
  ${change}
});
`;

test('one that breaks promises: a line with what was expected and found, exit code 1', async () => {
  const path = file('idle.mjs', record());
  const { code, out, err } = await check(path);
  expect(out).toContain('✗ effect: expected some value to change, found the values it was given\n');
  // It gives away what it only borrowed.
  expect(err).toMatch(/^lethe: error: \d+ of 14 checks failed: .*effect/);
  expect(code).toBe(1);
  const json = await check(path, '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({
    method: 'mine',
    device: 'reference',
    passed: false,
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    findings: expect.arrayContaining([
      { check: 'effect', state: 'failed', reason: expect.stringContaining('expected'), options: '' },
    ]),
  });
});

test('on a terminal it shows what is being checked', async () => {
  const terminal = new TestWorld({}, { columns: 80 });
  const { err } = await terminal.run(['check-method', '--device', 'reference', file('shown.mjs', record())]);
  terminal.close();
  expect(err).toContain('[1/14] runs');
  expect(err).toContain('[13/14] several classes');
});

test('an interrupt stops it', async () => {
  const stopping = new TestWorld();
  const path = file('interrupts.mjs', `${record('forget: async () => globalThis.interruptLethe(),')}`);
  Object.assign(globalThis, { interruptLethe: () => stopping.interrupt() });
  const { code, err } = await stopping.run(['check-method', '--device', 'reference', path]);
  stopping.close();
  expect(err).toContain('lethe: error: stopped\n');
  expect(code).toBe(1);
});

test('a file that was changed is another method', async () => {
  file('changed.mjs', record());
  expect((await check(join(folder, 'changed.mjs'))).out).toContain('Mine (mine)');
  file('changed.mjs', record("title: 'Other',"));
  expect((await check(join(folder, 'changed.mjs'))).out).toContain('Other (mine)');
});

test('options of the method, by key and value', async () => {
  const { code, out } = await check(example, '--option', 'batchNorm=frozen', '--option', 'epochs=1');
  expect(code).toBe(0);
  expect(out).not.toContain('with batchNorm');
  expect(await check(example, '--option', 'epoch=1')).toMatchObject({
    code: 2,
    err: 'lethe: error: nextBest: unknown key "epoch"; did you mean "epochs"?\n',
  });
});

describe('what holds no method is one clear error, exit code 2:', () => {
  test.each([
    ['none.mjs', null, ': there is no such file'],
    ['mine.txt', '', ': expected a file that ends in .js, .mjs, .ts, .mts'],
    [
      'empty.mjs',
      'export const a = 1;',
      ': exports no method; expected `export default define({ ... })`, with define of lethe/method, found a',
    ],
    [
      'named.mjs',
      record().replace('export default', 'export const mine ='),
      ': its method is exported as mine; expected it as the default export',
    ],
    [
      'other.mjs',
      'export default Object.assign(() => 1, { record: {} });',
      ': its method was made by another copy of Lethe',
    ],
    ['throws.mjs', "throw new Error('no luck');", ': could not be run: no luck'],
    ['lost.mjs', "import 'nowhere-to-be-found';", ': could not be run: '],
    ['taken.mjs', record("name: 'scrub',"), ": the name scrub is one of Lethe's own; expected another"],
    ['lacks.mjs', record('cost: undefined,'), ': cost: missing; expected a function of sizes and options'],
    [
      'kind.mjs',
      record("kind: 'exakt',"),
      ': kind: expected one of exact, certified, approximate, got "exakt"',
    ],
    [
      'inherits.mjs',
      record("inherits: ['augment'],"),
      ': inherits: expected a list of keys of train that are options of the method',
    ],
    [
      'half.mjs',
      record('prepare: () => 1,'),
      ': predict: missing; expected a function beside prepare, and nothing without it',
    ],
  ])('%s', async (name, text, message) => {
    const path = text === null ? join(folder, name) : file(name, text);
    const { code, out, err } = await check(path);
    expect(err).toContain(`lethe: error: ${path}${message}`);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect([code, out]).toEqual([2, '']);
  });
  test('several faults of a record, a line each', async () => {
    const { err } = await check(file('faults.mjs', record("title: undefined, titel: 'x', tasks: [],")));
    expect(err.split('\n').slice(1, 3)).toEqual([
      expect.stringContaining('title: missing; expected text; there is "titel"'),
      expect.stringContaining("tasks: expected 'any' or a list of names of tasks, got []"),
    ]);
  });
  test.skipIf('typescript' in process.features)('TypeScript where Node does not run it', async () => {
    const { err } = await check(file('mine.ts', record()));
    expect(err).toMatch(
      / Node \S+ does not run TypeScript; expected \.js or \.mjs, or Node 22\.18 or newer$/m,
    );
  });
  test('an option without a value', async () => {
    const { code, err } = await check(example, '--option', 'epochs');
    expect([code, err]).toEqual([2, 'lethe: error: --option epochs: expected key=value, such as epochs=3\n']);
  });
});
