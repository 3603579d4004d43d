// Recipes: defaults, refusals with a place and a suggestion, overrides. Every message is one line.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { LetheError } from '../../engine/error.ts';
import { editDistance, nearest } from '../../unlearn/options/suggest.ts';
import { seedsOf } from '../../unlearn/recipe/seeds.ts';
import { checkRecipe, parseRecipe } from '../../unlearn/recipe.ts';

const minimal = `name: tiny
dataset: { name: glyphs }
forget: { class: 3 }
model: { name: lenet }
methods:
  - name: boundaryShrink
  - name: finetune
    options:
      epochs: 2
`;

function refusal(text: string, set: string[] = []): string {
  try {
    parseRecipe(text, 'r.yaml', set);
  } catch (error) {
    expect(error).toBeInstanceOf(LetheError);
    expect((error as LetheError).kind).toBe('value');
    const { message } = error as Error;
    const [first, ...more] = message.split('\n');
    // One problem is one line; several are a line each under their count.
    expect(more.length === 0 || /: \d+ problems$/.test(first), message).toBe(true);
    for (const line of more) expect(line).toMatch(/^ {2}\S/);
    return message;
  }
  throw new Error('the recipe was taken');
}

describe('a good recipe', () => {
  it('is completed with defaults, retrain first', () => {
    const r = parseRecipe(minimal);
    expect(r.methods.map((m) => m.label)).toEqual(['retrain', 'boundaryShrink', 'finetune']);
    expect(r.methods[1].options).toMatchObject({
      epochs: 10,
      learningRate: 1e-5,
      epsilon: 0.1,
      batchNorm: 'train',
    });
    expect(r.methods[2].options).toMatchObject({ epochs: 2, augment: { crop: 0, flip: false } });
    expect(r.train).toMatchObject({ epochs: 10, schedule: 'cosine', optimizer: 'sgd' });
    expect(r.seeds).toEqual([0]);
    expect(r.dataset.options).toMatchObject({ seed: 0 });
  });

  it('hands train to retrain and augmentation to methods that use it', () => {
    const r = parseRecipe(minimal, 'r', [
      'train.epochs=7',
      'train.augment={crop: 4, flip: true}',
      'methods.2.name=retrain',
      'methods.2.options.epochs=9',
    ]);
    expect(r.methods[0]).toMatchObject({ name: 'retrain', options: { epochs: 9, augment: { crop: 4 } } });
    expect(r.methods[2].options.augment).toEqual({ crop: 4, flip: true });
  });

  it('hands train to methods that train networks of their own, what suits their loss', () => {
    const sets = ['train.epochs=9', 'train.learningRate=0.3', 'methods.1={name: arcane}'];
    const own = 'methods.0={name: sisa, options: {shards: 2, train: {batchSize: 7}}}';
    const [, sisa, arcane] = parseRecipe(minimal, 'r.yaml', [...sets, own]).methods;
    expect(sisa.options).toMatchObject({ shards: 2, train: { epochs: 9, learningRate: 0.3, batchSize: 7 } });
    expect(sisa.options).not.toHaveProperty('epochs');
    expect(arcane.options).toMatchObject({ train: { epochs: 9, optimizer: 'adam' } });
    // Its own rate, which is that of its one-class model.
    expect(arcane.options.train).not.toHaveProperty('learningRate');
    expect(refusal(minimal, ['methods.0={name: sisa, options: {train: {epoch: 2}}}'])).toMatch(
      /unknown key "epoch"; did you mean "epochs"/,
    );
  });

  it('reads its own resolved form back unchanged', () => {
    const r = parseRecipe(minimal);
    expect(checkRecipe(JSON.parse(JSON.stringify(r)))).toEqual(r);
    expect(parseRecipe(JSON.stringify(r, null, '\t'))).toEqual(r);
    expect(parseRecipe(stringify(r))).toEqual(r);
  });

  it('takes three seeds for one, those left out being that of training', () => {
    const r = parseRecipe(minimal, 'r', ['seeds=[4, {train: 1, unlearn: 3}]']);
    expect(r.seeds).toEqual([4, { train: 1, forget: 1, unlearn: 3 }]);
    expect(checkRecipe(JSON.parse(JSON.stringify(r)))).toEqual(r);
    expect(seedsOf(r)).toEqual([
      { seed: 4, train: 4, forget: 4, unlearn: 4 },
      { seed: 1_001_003, train: 1, forget: 1, unlearn: 3 },
    ]);
    const ratio = { ratio: 0.1, seed: 9 };
    expect(seedsOf({ seeds: [4], forget: ratio })).toEqual([{ seed: 4, train: 4, forget: 9, unlearn: 4 }]);
  });

  it('types overrides as YAML scalars', () => {
    const r = parseRecipe(minimal, 'r', [
      'seeds=[1, 2]',
      'methods.1.options.learningRate=1e-3',
      'forget.class=ring',
    ]);
    expect(r.seeds).toEqual([1, 2]);
    expect(r.methods[2].options.learningRate).toBe(0.001);
    expect(r.forget.class).toBe('ring');
    expect(parseRecipe(minimal, 'r', ['forget.class=[ring, 5]']).forget.class).toEqual(['ring', 5]);
  });
});

describe('refusals', () => {
  it.each([
    ['train: { epoch: 3 }', 'r.yaml:10:10: train: unknown key "epoch"; did you mean "epochs"?'],
    [
      'train: { epochs: ten }',
      'r.yaml:10:10: train.epochs: expected a whole number from 1 to 100000, got "ten"',
    ],
    ['train: { epochs: 0 }', 'r.yaml:10:10: train.epochs: expected a whole number from 1 to 100000, got 0'],
    ['train: { learningRate: .inf }', 'expected a number'],
    ['seeds: []', 'r.yaml:10:1: seeds: expected a list of seeds, such as [0, 1, 2], got []'],
    ['seeds: [1, 1]', 'expected seeds that differ'],
    [
      'seeds: [1, { train: 1, unlearn: x }]',
      'seeds.1: expected a seed, or a map of the seeds train, forget and unlearn',
    ],
    ['seeds: [1, { train: 1, forget: 2 }]', 'differ from each other in train or unlearn: the forget set'],
    [
      'seeds: [2002, { train: 0, forget: 2, unlearn: 2 }]',
      'names of their own: two are called 2002 (train * 10^6',
    ],
    ['device: tpu9000', 'no such choice "tpu9000"; known: auto, webgpu, cpu, reference'],
    ['train: { schedule: step }', 'expected milestones'],
    ['extra: 1', 'r.yaml:10:1: unknown key "extra"'],
    ['name: again', 'r.yaml:10:1: the key "name" is given twice, first at 1:1'],
  ])('%s', (line, message) => {
    expect(refusal(minimal + line)).toContain(message);
  });

  it.each([
    ['methods.0.name=boundaryshrnk', 'did you mean "boundaryShrink"?'],
    [
      'methods.0.options.epsilonn=1',
      '--set methods.0.options.epsilonn=1: methods.0.options: unknown key "epsilonn"; did you mean "epsilon"?',
    ],
    [
      'methods.9.name=x',
      '--set methods.9.name=x: methods is a list of 2; expected a position from 0 to 2 or a label, got "9"; known: boundaryShrink, finetune',
    ],
    ['methods.boundaryshrink.label=x', 'or a label, got "boundaryshrink"; did you mean "boundaryShrink"?'],
    ['model.name=resnet', 'no such choice "resnet"; did you mean "resnet18"?'],
    ['name.first=x', 'name is "tiny"; expected a map or a list'],
    ['forget.ratio=0.1', 'expected exactly one of class, ratio, ids, files, person, mislabelled, scores'],
    ['forget.seed=1', 'seed belongs to ratio, mislabelled, scores'],
    [
      'forget.class=[star, 1.5]',
      'forget.class.1: expected a class name or a class index (a whole number, 0 or more), got 1.5',
    ],
    ['forget.class=[]', 'or a list of them, got []'],
    ['forget.class=[3, 3]', 'forget.class: expected classes that differ from each other, got [3,3]'],
    ['methods.1.label=boundaryShrink', 'is taken'],
    ['methods.1.label=retrain', 'is kept for the method retrain'],
    ['methods.1.label=../../etc', 'expected a label'],
    ['novalue', 'expected path=value'],
    ['train.epochs=[', 'not valid YAML'],
    ['__proto__.x=1', 'unknown key "__proto__"'],
  ])('--set %s', (set, message) => {
    expect(refusal(minimal, [set])).toContain(message);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it('names the missing key, its place and what it wants', () => {
    expect(refusal('name: x\n').split('\n')).toEqual([
      'r.yaml: 4 problems',
      '  r.yaml:1:1: dataset: missing; expected a map',
      '  r.yaml:1:1: forget: missing; expected a map',
      '  r.yaml:1:1: model: missing; expected a map',
      '  r.yaml:1:1: methods: missing; expected a list of at least one method',
    ]);
    expect(refusal('')).toContain('expected a map of keys to values');
    expect(refusal('- a')).toContain('expected a map of keys to values');
    expect(refusal('a: *b')).toContain('r.yaml');
    expect(refusal('a: [1')).toMatch(/^r\.yaml:\d+:\d+: /);
  });

  it('survives an alias bomb', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i === 1 ? '' : i - 1}`)
          .join(', ')}]`,
      );
    expect(refusal(bomb.join('\n'))).toContain('alias');
  });

  it('any unknown key anywhere is refused by name', () => {
    const paths = [
      '',
      'train.',
      'train.augment.',
      'model.',
      'dataset.options.',
      'methods.0.options.',
      'evaluate.',
      'forget.',
    ];
    const key = fc.string({ minLength: 1, maxLength: 12 }).filter((k) => /^[A-Za-z_][A-Za-z_]*$/.test(k));
    fc.assert(
      fc.property(fc.constantFrom(...paths), key, (path, k) => {
        const name = `zz${k}`;
        expect(refusal(minimal, [`${path}${name}=1`])).toContain(`unknown key "${name}"`);
      }),
      { numRuns: 100 },
    );
  });

  it('never fails with anything but one LetheError, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.json()), (text) => void refusal(text)),
      { numRuns: 200 },
    );
  });
});

describe('several problems', () => {
  const wrong = `nam: tiny
dataset: { name: glyphs, options: { trainSise: 5, sizes: 2 } }
forget: { class: 3 }
modle: { name: lenet }
train:
  learningrate: 0.1
  epochs: none
  momentum: 3
methods:
  - name: finetunee
  - name: boundaryShrink
    options: { epsilonn: 1 }
  - name: boundaryShrink
seeds: [1, 1]
`;

  it('are all told, in the order of their help; a misspelt key is not missing as well', () => {
    expect(refusal(wrong, ['device=gpu', 'evaluate.batchSize=0', 'oops']).split('\n')).toEqual([
      'r.yaml: 14 problems',
      '  --set device=gpu: device: no such choice "gpu"; did you mean "webgpu"?',
      '  r.yaml:1:1: unknown key "nam"; did you mean "name"?',
      '  r.yaml:2:37: dataset.options: unknown key "trainSise"; did you mean "trainSize"?',
      '  r.yaml:4:1: unknown key "modle"; did you mean "model"?',
      '  r.yaml:6:3: train: unknown key "learningrate"; did you mean "learningRate"?',
      '  r.yaml:10:5: methods.0.name: no such choice "finetunee"; did you mean "finetune"?',
      '  r.yaml:12:16: methods.1.options: unknown key "epsilonn"; did you mean "epsilon"?',
      '  --set oops: expected path=value, such as train.epochs=3',
      '  --set evaluate.batchSize=0: evaluate.batchSize: expected a whole number from 1 to 1000000, got 0',
      '  r.yaml:2:51: dataset.options: unknown key "sizes"; known: trainSize, testSize, seed',
      '  r.yaml:7:3: train.epochs: expected a whole number from 1 to 100000, got "none"',
      '  r.yaml:8:3: train.momentum: expected a number from 0 to 1, got 3',
      '  r.yaml:13:5: methods.2.label: "boundaryShrink" is taken; expected a label of its own for each entry',
      '  r.yaml:14:1: seeds: expected seeds that differ from each other',
    ]);
  });

  it('are found in the options of a data set that cannot be', () => {
    const problemsOf = (dataset: string) => refusal(minimal.replace('{ name: glyphs }', dataset));
    expect(problemsOf('{ name: folder, options: { testRatio: 1 } }')).toMatch(
      /dataset.options.testRatio: expected a number between 0 and 1, both excluded, got 1$/,
    );
    expect(problemsOf(`{ name: csv, options: { delimiter: '"' } }`)).toMatch(
      /dataset.options.delimiter: expected one character that is no quote and no line break, got /,
    );
  });

  it('are told by their paths where there is no text', () => {
    expect(() =>
      checkRecipe(
        { name: 'x', dataset: { name: 'mnst' }, forget: { class: 1 }, model: {}, methods: [] },
        'results.json',
      ),
    ).toThrow(
      `results.json: 3 problems
  results.json: dataset.name: no such choice "mnst"; did you mean "mnist"?
  results.json: methods: expected a list of at least one method, got []
  results.json: model.name: missing; expected one of mlp, lenet, smallCnn, allCnn, resnet18, vgg16`,
    );
  });

  it('are told up to twenty, and counted', () => {
    const many = Array.from({ length: 3000 }, (_, i) => `k${i}: 1`).join('\n');
    const lines = refusal(minimal + many).split('\n');
    expect(lines).toHaveLength(22);
    expect([lines[0], lines[21]]).toEqual(['r.yaml: 3000 problems', '  and 2980 more']);
  });
});

describe('hostile recipes', () => {
  const cyclic: Record<string, unknown> = { name: 'x' };
  cyclic.dataset = cyclic;

  it.each<[string, () => unknown]>([
    ['a list that holds itself', () => parseRecipe(`${minimal}seeds: &a [*a]`)],
    ['a map that holds itself', () => parseRecipe(`${minimal}train: &a { epochs: *a }`)],
    ['an object that holds itself', () => checkRecipe(cyclic)],
    ['a function', () => checkRecipe({ name: () => 'x' })],
    ['a symbol', () => checkRecipe({ name: Symbol('x'), seeds: [Symbol('y')] })],
    ['a bigint', () => checkRecipe({ name: 12n })],
  ])('%s', (_, read) => {
    expect(read).toThrow(LetheError);
    expect(read).not.toThrow(/bug|circular|clone/i);
  });

  it('leave what was given as it was', () => {
    const given = JSON.parse(JSON.stringify(parseRecipe(minimal)));
    const before = structuredClone(given);
    const taken = checkRecipe(given) as unknown as { methods: { options: { epochs: number } }[] };
    taken.methods[1].options.epochs = 99;
    expect(given).toEqual(before);
  });

  it('keys are told as escapes', () => {
    expect(refusal(`${minimal}"\\e[2J\\rX": 1`)).toContain('unknown key "\\u001b[2J\\rX"');
    expect(refusal(minimal, ['\u001b[2J=1'])).toContain('--set \\u001b[2J=1: unknown key "\\u001b[2J"');
  });

  it.each([
    ['many keys', (n: number) => minimal + Array.from({ length: n }, (_, i) => `k${i}: 1`).join('\n')],
    ['deep lists', (n: number) => '['.repeat(n)],
    ['deep maps', (n: number) => '{a: '.repeat(n)],
    ['deep items', (n: number) => '- '.repeat(n)],
  ])('%s are refused in time', { timeout: 20_000 }, (_, make) => {
    expect(refusal(make(20_000))).toMatch(/nested too deeply|20000 problems|expected/);
    expect(refusal(make(300_000))).toContain('characters; expected at most 262144');
  });
});

describe('suggestions', () => {
  it('take a beginning or a part for the word', () => {
    expect(nearest('resnet', ['lenet', 'resnet18'])).toBe('resnet18');
    expect(nearest('faces', ['demo', 'att-faces-person'])).toBe('att-faces-person');
    expect(nearest('a', ['cat', 'aha'])).toBeNull();
  });

  it('counts edits, swaps as one', () => {
    expect(editDistance('epochs', 'epohcs')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
    expect(nearest('batch_size', ['batchSize', 'epochs'])).toBe('batchSize');
    expect(nearest('qqq', ['batchSize', 'epochs'])).toBeNull();
  });
});
