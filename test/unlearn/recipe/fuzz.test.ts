// Random recipes, good and faulty, as text and as objects: each is planned or ends in one clear error that names what is
// wrong, and a dry run leaves nothing behind. LETHE_FUZZ_RUNS asks for more of them and lets every network be measured,
// LETHE_FUZZ_SEED for others.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { LetheError } from '../../../engine/error.ts';
import * as lt from '../../../index.ts';
import { checkRecipe, parseRecipe } from '../../../unlearn/recipe.ts';
import { defaultParts } from '../../../unlearn/run/default-parts.ts';
import type { StepCost } from '../../../unlearn/run/parts.ts';
import { runVaried } from '../../../unlearn/run/varied.ts';
import { readRecipe, run } from '../../../unlearn/run.ts';
import { compiled } from '../../compiled.ts';
import { addonPath } from '../../native/support.ts';
import { type Fault, faultyRecipes, goodRecipes, type Plain } from './recipes.ts';
import { oddWords } from './values.ts';

const { LETHE_FUZZ_RUNS, LETHE_FUZZ_SEED } = process.env;
const RUNS = Number(LETHE_FUZZ_RUNS ?? 50);
const SEED = Number(LETHE_FUZZ_SEED ?? 4242);
/** Those of the command line, each a process. */
const SPAWNED = Math.min(60, Math.ceil(RUNS / 10));
const property = { numRuns: RUNS, seed: SEED };
/** Not made smaller where they fail: each takes its time. */
const slow = { ...property, endOnFailure: true };
const device = inject('absent').cpu === null ? 'cpu' : 'reference';

const folder = mkdtempSync(join(tmpdir(), 'lethe-recipes-'));
const [out, data, file] = ['out', 'data', 'r.yaml'].map((name) => join(folder, name));
mkdirSync(data);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await lt.close();
});

const small = { largest: 40 };
const whole = { largest: Number.POSITIVE_INFINITY };

/** Each network is measured once: it takes seconds. */
const measured = new Map<string, StepCost>();
const real = defaultParts();
const parts: typeof real = {
  ...real,
  async measure(recipe, runData) {
    const name = JSON.stringify(recipe.model);
    const cost = measured.get(name) ?? (await measure(recipe, runData));
    measured.set(name, cost);
    return cost;
  },
};
const measure: typeof real.measure = async (recipe, runData) =>
  LETHE_FUZZ_RUNS || ['mlp', 'lenet'].includes(recipe.model.name)
    ? real.measure(recipe, runData)
    : { parameters: 1, trainSeconds: 1, inferSeconds: 1, startSeconds: 1, bytes: 1 };

/** The error of a dry run, null where it could be planned; several runs are planned as such. */
const dryRun = (recipe: string | object, plain = recipe as Plain): Promise<unknown> =>
  (Object.hasOwn(plain, 'vary') ? runVaried : run)(recipe, { out, data, device, dryRun: true, parts }).then(
    ({ plan }: { plan: readonly unknown[] }) => {
      expect(plan.length).toBeGreaterThan(1);
      return null;
    },
    (error) => error,
  );

/** One error for people: what it was, on lines that show as they are. */
function expectClear(error: unknown): LetheError {
  if (!(error instanceof LetheError)) throw error;
  expect(error.message.replaceAll('\n  ', '')).not.toMatch(/\p{Cc}/u);
  expect(error.message.length).toBeLessThan(5000);
  expect(error.message).not.toMatch(
    /\bat .*:\d+:\d+\)|TypeError|RangeError|\[object |(is|of) undefined|not a function|call stack/,
  );
  return error;
}

/** Data that is there, of which something can be forgotten: what is left to go wrong is the recipe itself. */
const fitting = fc.record({
  forget: fc.oneof(
    fc.integer({ min: 0, max: 9 }).map((k): Plain => ({ class: k })),
    fc.double({ min: 0.05, max: 0.5, noNaN: true }).map((ratio): Plain => ({ ratio })),
    fc.uniqueArray(fc.nat(19), { minLength: 1, maxLength: 5 }).map((ids): Plain => ({ ids })),
  ),
  validation: fc.constantFrom(0.1, 0.2),
});
/** Half of the recipes as they are, but with data that are soon drawn; the other half with data that fit. */
const tame = (recipe: Plain, fit: { forget: Plain; validation: number } | null): Plain => {
  const { dataset, validation } = recipe as {
    dataset: { name: string; options?: Plain };
    validation: unknown;
  };
  if (!fit) {
    const options = { trainSize: 40, testSize: 20, ...dataset.options };
    return dataset.name === 'glyphs' ? { ...recipe, dataset: { ...dataset, options } } : recipe;
  }
  const options = { trainSize: 200, testSize: 20 };
  const held = validation ? { validation: fit.validation } : {};
  const fitted = { ...recipe, ...held, dataset: { name: 'glyphs', options }, forget: fit.forget };
  const { vary } = recipe as { vary?: { runs: { set: Plain }[] } };
  if (!vary) return fitted;
  const runs = vary.runs.map(({ set: { forget: _, ...set }, ...run }) => ({ ...run, set }));
  return { ...fitted, vary: { ...vary, runs } };
};
const planned = fc.tuple(goodRecipes(small), fc.option(fitting)).map(([recipe, fit]) => tame(recipe, fit));

describe('recipes made from the schema', { timeout: 600_000 }, () => {
  it.each([
    ['small numbers', small],
    ['all numbers', whole],
  ])('%s: are taken, as objects and as text, and read back the same', (_, taste) => {
    fc.assert(
      fc.property(goodRecipes(taste), (recipe) => {
        const checked = checkRecipe(recipe);
        expect(parseRecipe(stringify(recipe))).toEqual(checked);
        expect(checkRecipe(checked)).toEqual(checked);
      }),
      property,
    );
  });

  it('are planned, or their data are not there, which one error says', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(planned, async (recipe) => {
        const error = await dryRun(recipe);
        expect(existsSync(out)).toBe(false);
        expect(readdirSync(data)).toEqual([]);
        if (error === null) count++;
        else expect(expectClear(error).message).toMatch(wordsOf(recipe));
      }),
      slow,
    );
    // Half of them have data.
    expect(count).toBeGreaterThan(RUNS / 4);
  });
});

/** A key of the recipe, or a name in it. */
function wordsOf(recipe: Plain): RegExp {
  const words = new Set<string>();
  JSON.stringify(recipe, (key, value) => {
    if (/^[a-z]\w+$/i.test(key)) words.add(key);
    if (key === 'name' && typeof value === 'string') words.add(value.replace(/[^\w-]/g, '.'));
    return value;
  });
  return new RegExp(`\\b(${[...words].join('|')})\\b`);
}

describe('recipes with a fault', { timeout: 600_000 }, () => {
  const refused = async ({ recipe, names, isPlain }: Fault) => {
    for (const given of isPlain ? [recipe, file] : [recipe]) {
      if (given === file) writeFileSync(file, stringify(recipe));
      expect(expectClear(await dryRun(given, recipe)).message).toContain(names);
    }
  };

  it('are refused by one error that names it', async () => {
    await fc.assert(fc.asyncProperty(faultyRecipes(small), refused), property);
  });

  it('as text with characters lost, added and changed, or with overrides: are read or refused', async () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      cut: fc.nat(20),
      put: fc.constantFrom(
        '',
        ' ',
        '\n',
        '\t',
        '{',
        '[',
        '&a ',
        '*a',
        '!!js/function ',
        '---\n',
        '? ',
        '|',
        ': ',
        ...oddWords,
      ),
    });
    const set = fc
      .tuple(
        fc.constantFrom('train.', 'methods.0.', 'methods.9.', 'forget.', 'seeds.0.', '__proto__.', ''),
        fc.string(),
        fc.json(),
      )
      .map(([at, key, value]) => `${at}${key}=${value}`);
    await fc.assert(
      fc.asyncProperty(
        goodRecipes(small),
        fc.array(edit, { maxLength: 4 }),
        fc.array(set, { maxLength: 2 }),
        async (recipe, edits, sets) => {
          let text = stringify(recipe);
          for (const { at, cut, put } of edits) {
            const from = Math.floor(at * text.length);
            text = text.slice(0, from) + put + text.slice(from + cut);
          }
          writeFileSync(file, text);
          const error = await readRecipe(file, sets).then(
            () => null,
            (error) => error,
          );
          if (error) expectClear(error);
        },
      ),
      property,
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

it('a method that would count noisy steps for ever is refused at once', async () => {
  const method = {
    name: 'certified',
    options: { variant: 'gradientClipping', gradientNorm: 1e-9, startNorm: 40 },
  };
  const recipe = {
    name: 'x',
    dataset: { name: 'glyphs', options: { trainSize: 200, testSize: 20 } },
    forget: { class: 3 },
    model: { name: 'mlp' },
    methods: [method],
  };
  expect(expectClear(await dryRun(recipe)).message).toMatch(
    /^certified: \d+ noisy steps with gradientNorm 1e-9/,
  );
});

it('a key that is a map is told as text, and nothing else is said', () => {
  const warned = vi.spyOn(process, 'emitWarning');
  expect(() => parseRecipe('{ { a: 1 }: 2 }')).toThrow('unknown key "{ a: 1 }"');
  expect(() => parseRecipe('name: x', 'r', ['train={ { a: 1 }: 2 }'])).toThrow('unknown key "{ a: 1 }"');
  expect(warned).not.toHaveBeenCalled();
  warned.mockRestore();
});

describe('the command line', { timeout: 600_000 }, () => {
  let main = '';
  beforeAll(() => {
    [main] = compiled('fuzz', 'cli/main.ts');
  });

  it('answers each with a plan, or with an error and exit code 2', () => {
    const some = fc.oneof(
      planned.map((recipe) => ({ ...recipe, model: { name: 'mlp', options: { hidden: [4] } } })),
      faultyRecipes(small)
        .filter(({ isPlain }) => isPlain)
        .map(({ recipe }) => recipe),
    );
    const env = { ...process.env, LETHE_ADDON: addonPath };
    for (const recipe of fc.sample(some, { numRuns: SPAWNED, seed: SEED })) {
      writeFileSync(file, stringify(recipe));
      const words = ['run', file, '--dry-run', '--device', device, '--data', data, '--out', out];
      const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], {
        encoding: 'utf8',
        env,
      });
      if (status === 0) expect(stdout).toContain('Nothing was written.');
      else {
        expect(status, stderr).toBe(2);
        expect(stderr).toMatch(/^lethe: error: /m);
        expect(stderr).not.toMatch(/\n\s+at |this is a bug|TypeError|RangeError/);
      }
      expect(existsSync(out)).toBe(false);
    }
  });
});
