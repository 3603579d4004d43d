// Recipes: defaults, refusals with a place and a suggestion, overrides. Every message is one line.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { LetheError } from '../../engine/error.ts';
import { editDistance, nearest } from '../../unlearn/recipe/suggest.ts';
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
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
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

  it('reads its own resolved form back unchanged', () => {
    const r = parseRecipe(minimal);
    expect(checkRecipe(JSON.parse(JSON.stringify(r)))).toEqual(r);
    expect(parseRecipe(JSON.stringify(r, null, '\t'))).toEqual(r);
    expect(parseRecipe(stringify(r))).toEqual(r);
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
  });
});

describe('refusals', () => {
  it.each([
    ['train: { epoch: 3 }', 'r.yaml:10: train: unknown key "epoch"; did you mean "epochs"?'],
    [
      'train: { epochs: ten }',
      'r.yaml:10: train.epochs: expected a whole number from 1 to 100000, got "ten"',
    ],
    ['train: { epochs: 0 }', 'r.yaml:10: train.epochs: expected a whole number from 1 to 100000, got 0'],
    ['train: { learningRate: .inf }', 'expected a number'],
    ['seeds: []', 'r.yaml:10: seeds: expected a list of seeds, such as [0, 1, 2], got []'],
    ['seeds: [1, 1]', 'expected seeds that differ'],
    ['device: tpu9000', 'no such choice "tpu9000"; known: auto, webgpu, cpu, reference'],
    ['train: { schedule: step }', 'expected milestones'],
    ['extra: 1', 'r.yaml:10: unknown key "extra"'],
    ['name: again', 'r.yaml:10: Map keys must be unique'],
  ])('%s', (line, message) => {
    expect(refusal(minimal + line)).toContain(message);
  });

  it.each([
    ['methods.0.name=boundaryshrnk', 'did you mean "boundaryShrink"?'],
    [
      'methods.0.options.epsilonn=1',
      '--set methods.0.options.epsilonn=1: methods.0.options: unknown key "epsilonn"; did you mean "epsilon"?',
    ],
    ['methods.9.name=x', 'expected a position from 0 to 2, got "9"'],
    ['name.first=x', 'name is "tiny"; expected a map or a list'],
    ['forget.ratio=0.1', 'expected exactly one of class, ratio, ids, files, person'],
    ['forget.seed=1', 'belong to ratio'],
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
    expect(refusal('name: x\n')).toMatch(
      /^r\.yaml:1: dataset: missing; expected a map \(and \d more problems\)$/,
    );
    expect(refusal('')).toContain('expected a map of keys to values');
    expect(refusal('- a')).toContain('expected a map of keys to values');
    expect(refusal('a: *b')).toContain('r.yaml');
    expect(refusal('a: [1')).toMatch(/^r\.yaml:\d+: /);
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

describe('suggestions', () => {
  it('counts edits, swaps as one', () => {
    expect(editDistance('epochs', 'epohcs')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
    expect(nearest('batch_size', ['batchSize', 'epochs'])).toBe('batchSize');
    expect(nearest('qqq', ['batchSize', 'epochs'])).toBeNull();
  });
});
