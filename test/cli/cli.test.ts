// The command line: exit codes, one clear line for every wrong word, data on stdout and talk on stderr.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { optionsOf } from '../../cli/context.ts';
import { disk } from '../../unlearn/files.ts';
import { withDisk } from '../unlearn/run/crash.ts';
import { recipeText, TestWorld } from './world.ts';

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.close());

describe('wrong use and wrong input: exit code 2 and one line', () => {
  it.each([
    [['rnu'], "lethe: error: unknown command 'rnu' (Did you mean run?)"],
    [['run'], "lethe: error: missing required argument 'recipe'"],
    [['run', 'DIR/toy.yaml', '--ouput', 'x'], "lethe: error: unknown option '--ouput' (Did you mean --out?)"],
    [['run', 'DIR/toy.yaml', 'more'], "lethe: error: too many arguments for 'run'"],
    [['run', 'DIR/toy.yaml', '--seed', '-1'], '--seed <n>'],
    [
      ['run', 'DIR/toy.yaml', '--device', 'cup'],
      'lethe: error: --device: no device "cup"; did you mean "cpu"?',
    ],
    [['run', 'DIR/none.yaml'], 'lethe: error: no recipe DIR/none.yaml: there is no such file\n'],
    [['run', 'DIR'], 'lethe: error: could not read the recipe: DIR: not a regular file\n'],
    [['run', 'DIR/toy.yaml/x'], 'lethe: error: no recipe DIR/toy.yaml/x: there is no such file\n'],
    [['run', 'x'.repeat(5000)], 'lethe: error: could not read the recipe: ENAMETOOLONG'],
    [
      ['run', 'fashion'],
      'lethe: error: no recipe "fashion": there is no such file, and none of that name comes with Lethe; did you mean "fashion-mnist-class"?\n',
    ],
    [['train', 'zzz'], 'none of that name comes with Lethe; known: att-faces-attention, '],
    [['recipes', 'dmo'], 'lethe: error: no recipe "dmo" comes with Lethe; did you mean "demo"?\n'],
    [['run', 'DIR/toy.yaml', '--out', 'DIR'], 'lethe: error: --out DIR: holds toy.yaml, not a run; expected'],
    [
      ['run', 'DIR/toy.yaml', '--set', 'train.epohcs=3'],
      '--set train.epohcs=3: train: unknown key "epohcs"; did you mean "epochs"?',
    ],
    [
      ['unlearn', 'DIR/toy.yaml', '--method', 'finetune', '--out', 'DIR/x'],
      "required option '--from <file>' not specified",
    ],
    [
      ['unlearn', 'DIR/toy.yaml', '--from', 'DIR/none', '--method', 'finetune', '--out', 'DIR/x'],
      'lethe: error: weights: could not read DIR/none: ENOENT: no such file or directory\n',
    ],
    [
      ['unlearn', 'DIR/toy.yaml', '--from', 'DIR/toy.yaml', '--method', 'finetun', '--out', 'DIR/x'],
      'no method "finetun"; did you mean "finetune"?',
    ],
    [
      ['report', 'DIR/none'],
      'lethe: error: results: could not read DIR/none: ENOENT: no such file or directory\n',
    ],
    [
      ['report', 'DIR', '--format', 'csv', '--json'],
      '--format csv and --json both ask for stdout; expected one of them',
    ],
    [['datasets', 'check', 'mnist', '--data', 'DIR'], 'mnist: no train-images-idx3-ubyte'],
    [['datasets', 'check', 'cifar-10', '--data', 'DIR/none'], 'cifar-10: no data_batch_1.bin'],
    [['datasets', 'check', 'folder', '--data', 'DIR/none'], 'folder: no folder DIR/none'],
    [['report', 'DIR/toy.yaml'], 'lethe: error: DIR/toy.yaml: not JSON'],
    [
      ['report', 'DIR', '--format', 'pdf'],
      "lethe: error: option '--format <form>' argument 'pdf' is invalid.",
    ],
    [['datasets', 'check', 'cifar10'], 'cifar-10'],
    [['bench', 'nosuchcase', '--device', 'reference'], "bench: no case contains 'nosuchcase'; suites are "],
    [['bench', '--seconds', '0'], 'lethe: error: --seconds: expected a number above 0, got "0"'],
    [['bench', 'tune', 'nosuchcase'], "bench: no case contains 'nosuchcase'; suites are "],
    [['bench', 'tune', '--seconds', '-1'], '--seconds: expected a number above 0, got "-1"'],
    [['bench', 'kernel'], "missing required argument 'file'"],
    [
      ['bench', 'kernel', 'DIR/toy.yaml'],
      'lethe: error: DIR/toy.yaml: there is no line "//! primitive: ..."',
    ],
    [['datasets', 'lst'], "unknown command 'lst' (Did you mean list?)"],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await world.run(argv);
    expect(err).toContain(message);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(out).toBe('');
    expect(code).toBe(2);
    expect(readdirSync(world.folder)).toEqual(['toy.yaml']);
  });

  it('a recipe with several faults tells them all, a line each', async () => {
    const { code, err } = await world.run(['run', 'DIR/toy.yaml', '--set', 'modle.x=1', '--set', 'seeds=[]']);
    expect(err.split('\n')).toEqual([
      'lethe: error: DIR/toy.yaml: 2 problems',
      '  --set modle.x=1: unknown key "modle"; did you mean "model"?',
      '  --set seeds=[]: seeds: expected a list of seeds, such as [0, 1, 2], got []',
      '',
    ]);
    expect(code).toBe(2);
  });
});

describe('lethe run', () => {
  it('puts the table on stdout, the talk on stderr, the files in --out', async () => {
    const { code, out, err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out']);
    expect(err).toMatch(/^\d\d:\d\d:\d\d plan: 4 cells, 0 done already$/m);
    expect(err).toContain('report: DIR/out/report.html');
    expect(out).toMatch(/Boundary Shrink/);
    expect(code).toBe(0);
    expect(existsSync(world.path('out/report.html'))).toBe(true);
  });

  it('--json gives results.json on stdout, --quiet no talk', async () => {
    const { out, err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out', '--json', '--quiet']);
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual(JSON.parse(readFileSync(world.path('out/results.json'), 'utf8')));
    const before = await world.run(['--json', 'report', 'DIR/out']);
    expect(JSON.parse(before.out)).toEqual({ file: 'DIR/out/report.html' });
  });

  it('--dry-run prints the plan and touches nothing', async () => {
    const { code, out, err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out', '--dry-run']);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out.replace(/[0-9a-f]{8}$/gm, 'KEY     ')).toMatchSnapshot();
    expect(readdirSync(world.folder)).toEqual(['toy.yaml']);
  });

  it('--dry-run says what a search will try, and that what it chooses is open', async () => {
    const set = [
      '--set',
      'validation=0.1',
      '--set',
      'search.trials=2',
      '--set',
      'methods.finetune.search=false',
    ];
    const dry = ['run', 'DIR/toy.yaml', '--out', 'DIR/out', '--dry-run', ...set];
    const { out } = await world.run(dry);
    expect(out).toMatch(/^seed-1000-boundaryShrink-trial-1 +to do/m);
    expect(out).toContain(
      'search: 2 trials of 1 method on seed 1000, those of a method for one retraining at most, by rule retrain\n' +
        'search: what it chooses is not known yet: their methods stand above with the options stated\n',
    );
    const { err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out', ...set]);
    expect(err).toMatch(/search: boundaryShrink: .* by rule retrain: learningRate .* \(score /);
    expect((await world.run(dry)).out).not.toContain('not known yet');
  });

  it('a method that fails: the others are done, exit code 1', async () => {
    const toy = { fail: { method: 'finetune', error: new Error('boom') } };
    const { code, out, err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out'], toy);
    expect(err).toContain('lethe: error: 1 of 4 cells failed: seed-0-finetune (boom)');
    expect(out).toContain('Boundary Shrink');
    expect(code).toBe(1);
  });

  it('a run that is complete but cannot clear up: a warning, exit code 0', async () => {
    const refuse = (call: typeof disk.unlink) => async (path: unknown) => {
      if (/lethe\.lock$|unfinished$/.test(String(path))) throw new Error(`EIO: no luck, ${path}`);
      return call(path as string);
    };
    const calls = { unlink: refuse(disk.unlink), rmdir: refuse(disk.rmdir) };
    const { code, err } = await withDisk(calls, () => world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out']));
    for (const name of ['unfinished', 'lethe.lock'])
      expect(err).toContain(`warning: could not remove DIR/out/${name}: EIO`);
    expect(err).toContain('report: DIR/out/report.html');
    expect(code).toBe(0);
  });

  it('an error of ours is a bug and says so; LETHE_DEBUG shows where', async () => {
    const toy = { fail: { method: 'original', error: new TypeError('x is undefined') } };
    const { code, err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out', '-q'], toy);
    expect(err).toBe(
      'lethe: this is a bug in Lethe: TypeError: x is undefined; LETHE_DEBUG=1 shows where, so does log.txt of an output folder\n',
    );
    expect(code).toBe(1);
    expect(readFileSync(world.path('out/log.txt'), 'utf8')).toMatch(/at .*cli\.test\.ts/);
    const loud = new TestWorld({ LETHE_DEBUG: '1' });
    const { err: stack } = await loud.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out', '-q'], toy);
    expect(stack).toMatch(/at .*cli\.test\.ts/);
    loud.close();
  });

  it('an interrupt stops at a safe point and says how to go on', async () => {
    const toy = { pace: 1, onWork: (what: string) => what === 'retrain' && world.interrupt() };
    const { code, err } = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out'], toy as never);
    expect(err).toContain('stopping at the next safe point; press Ctrl-C again to quit at once');
    expect(err).toContain('lethe: error: stopped; the same command goes on from here (DIR/out)');
    expect(code).toBe(1);
    const again = await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out', '--resume']);
    expect(again.err).toContain('[1/4] seed-0-original: done already');
    expect(again.code).toBe(0);
  });
});

describe('single steps', () => {
  it('train, unlearn and evaluate work on files and agree with a run', async () => {
    await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out']);
    const train = await world.run(['train', 'DIR/toy.yaml', '--out', 'DIR/a/original.safetensors']);
    expect(train).toMatchObject({ code: 0, out: expect.stringContaining('DIR/a/original.safetensors (') });
    const unlearn = [
      'unlearn',
      'DIR/toy.yaml',
      '--from',
      'DIR/a/original.safetensors',
      '--method',
      'finetune',
      '--out',
      'DIR/a/ft.safetensors',
    ];
    expect((await world.run([...unlearn, '--json'])).code).toBe(0);
    for (const [mine, theirs] of [
      ['original', 'original'],
      ['ft', 'finetune'],
    ]) {
      const [a, b] = [`a/${mine}`, `out/checkpoints/seed-0-${theirs}`].map((n) =>
        readFileSync(world.path(`${n}.safetensors`)),
      );
      expect(a.equals(b)).toBe(true);
    }
    expect(readdirSync(world.path('a')).sort()).toEqual(['ft.safetensors', 'original.safetensors']);
    const retrained = ['--retrained', 'DIR/out/checkpoints/seed-0-retrain.safetensors'];
    const evaluate = ['evaluate', 'DIR/toy.yaml', '--weights', 'DIR/a/ft.safetensors', ...retrained];
    const { out } = await world.run([...evaluate, '--json']);
    const results = JSON.parse(readFileSync(world.path('out/results.json'), 'utf8'));
    const entry = results.runs.find((r: { method: string }) => r.method === 'finetune');
    expect(JSON.parse(out).metrics.avg_gap).toBe(entry.metrics.avg_gap);
    expect((await world.run(evaluate)).out).toMatch(/^metric/);
  });

  it('report renders each form again', async () => {
    await world.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out']);
    const page = readFileSync(world.path('out/report.html'), 'utf8');
    const table = ['report', 'DIR/out', '--format', 'table'];
    const { out } = await world.run([...table, '--json']);
    expect(JSON.parse(out).verdict).toMatchObject({ grade: 'void', best: null, badge: expect.any(String) });
    expect((await world.run(table)).out).toMatch(/^Method +UA +RA +TA +MIA +Gap +Time$/m);
    expect((await world.run([...table, '--wide'])).out).toMatch(/^Method +UA .* ASR .* Speed$/m);
    const narrow = new TestWorld({}, { columns: 40 });
    await narrow.run(['run', 'DIR/toy.yaml', '--out', 'DIR/out']);
    const lines = (await narrow.run(['report', 'DIR/out', '--format', 'table', '--no-color'])).out.split(
      '\n',
    );
    narrow.close();
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(40);
    expect((await world.run(['report', 'DIR/out', '--format', 'csv'])).out).toContain('seed,method');
    expect((await world.run(['report', 'DIR/out/results.json', '--format', 'latex'])).out).toContain(
      '\\begin{tabular}',
    );
    const json = JSON.parse((await world.run(['report', 'DIR/out', '--format', 'json'])).out);
    expect(json.rows.map(({ role }: { role: string }) => role).slice(0, 2)).toEqual(['original', 'retrain']);
    expect((await world.run(['report', 'DIR/out', '--out', 'DIR/page.html'])).out).toBe('DIR/page.html\n');
    expect(readFileSync(world.path('page.html'), 'utf8')).not.toBe(page);
    writeFileSync(world.path('bad.json'), '{"version": 2}');
    expect((await world.run(['report', 'DIR/bad.json'])).err).toContain(
      'version 2; expected a results.json written by lethe run',
    );
    const results = JSON.parse(readFileSync(world.path('out/results.json'), 'utf8'));
    results.runs[1].metrics = null;
    writeFileSync(world.path('bad.json'), JSON.stringify(results));
    expect(await world.run(['report', 'DIR/bad.json'])).toMatchObject({
      code: 2,
      err: 'lethe: error: DIR/bad.json: runs.1.metrics: expected a map, got null\n',
    });
  });
});

describe('recipes that come with Lethe', () => {
  it('are listed with a line each, and printed', async () => {
    const { code, out } = await world.run(['recipes']);
    expect(code).toBe(0);
    expect(out).toMatch(/^cifar-10-class +All-CNN \(half width\) on CIFAR-10/m);
    const names = JSON.parse((await world.run(['recipes', '--json'])).out).map(
      (r: { name: string }) => r.name,
    );
    expect(names).toEqual(
      readdirSync('recipes')
        .filter((file) => file.endsWith('.yaml'))
        .map((file) => file.replace('.yaml', ''))
        .sort(),
    );
    expect((await world.run(['recipes', 'demo'])).out).toBe(readFileSync('recipes/demo.yaml', 'utf8'));
  });

  it('are copied with the files they name, and nothing is overwritten', async () => {
    const copy = ['recipes', 'which-metric', '--to', 'DIR/mine'];
    const { code, out, err } = await world.run(copy);
    expect(code, err).toBe(0);
    const files = ['partly.mjs', 'interpolated.mjs', 'last-layer.mjs'].map((file) => `truth/${file}`);
    expect(out).toBe([...files, 'which-metric.yaml'].map((file) => `DIR/mine/${file}\n`).join(''));
    for (const file of [...files, 'which-metric.yaml'])
      expect(readFileSync(world.path(`mine/${file}`), 'utf8')).toBe(readFileSync(`recipes/${file}`, 'utf8'));
    expect(await world.run(copy)).toMatchObject({
      code: 2,
      err: 'lethe: error: DIR/mine/truth/partly.mjs is there already; expected a folder without it\n',
    });
    expect((await world.run(['recipes', '--to', 'DIR/mine'])).err).toContain('expected its name');
  });

  it('run by their names, unless there is a file of that name', async () => {
    const { code, out, err } = await world.run(['run', 'demo', '--set', 'seeds=[0]', '--dry-run', '--json']);
    expect(code, err).toBe(0);
    expect(JSON.parse(out).cells).toHaveLength(7);
    const { err: wrong } = await world.run([
      'run',
      'demo',
      '--set',
      'seeds=[]',
      '--set',
      'methods.2.options.x=1',
    ]);
    expect(wrong).toContain('recipe demo: 2 problems');
    const here = process.cwd();
    process.chdir(world.folder);
    try {
      writeFileSync('demo', readFileSync('toy.yaml'));
      expect(JSON.parse((await world.run(['run', 'demo', '--dry-run', '--json'])).out).cells).toHaveLength(4);
      // What is called the demo is not whatever lies there.
      expect(JSON.parse((await world.run(['demo', '--dry-run', '--json'])).out).cells).toHaveLength(21);
    } finally {
      process.chdir(here);
    }
  });
});

describe('a recipe with vary', () => {
  const varied = `${recipeText}vary:
  about: classes
  runs:
    - { label: one, set: {} }
    - { label: two, set: { methods.finetune.options.epochs: 3 } }
`;

  it('is several runs, planned, run and reported as such', async () => {
    writeFileSync(world.path('varied.yaml'), varied);
    const command = ['run', 'DIR/varied.yaml', '--out', 'DIR/varied'];
    const plan = await world.run([...command, '--dry-run']);
    expect(plan.code, plan.err).toBe(0);
    expect(plan.out).toMatch(/^one\/seed-0-original +to do /m);
    expect(plan.out).toMatch(/^two\/seed-0-original +from one +- /m);
    expect(plan.out).toContain('5 of 8 cells to do in DIR/varied');
    const done = await world.run(command);
    expect(done.code, done.err).toBe(0);
    expect(done.err).toContain('two: seed-0-original: taken over from one');
    expect(done.err).toMatch(/\[7\/8\] two\/seed-0-finetune: unlearn/);
    expect(done.out).toMatch(/^Average gap +one +two$/m);
    const page = readFileSync(world.path('varied/report.html'), 'utf8');
    expect(page).toContain('href="two/report.html"');
    const again = ['report', 'DIR/varied'];
    expect((await world.run([...again, '--out', 'DIR/again.html'])).code).toBe(0);
    expect(readFileSync(world.path('again.html'), 'utf8')).toBe(page);
    expect((await world.run([...again, '--format', 'table'])).out).toBe(done.out);
    expect((await world.run([...again, '--format', 'csv'])).out).toContain('run,at,method');
    expect(JSON.parse((await world.run([...again, '--format', 'json'])).out).kind).toBe('varied');
    expect(await world.run([...again, '--format', 'latex'])).toMatchObject({ code: 2 });
  });

  it('commands that work on one run ask which', async () => {
    writeFileSync(world.path('varied.yaml'), varied);
    const train = ['train', 'DIR/varied.yaml', '--out', 'DIR/w.safetensors'];
    expect(await world.run(train)).toMatchObject({ code: 2, err: expect.stringContaining('--vary LABEL') });
    expect((await world.run([...train, '--vary', 'two'])).code).toBe(0);
    expect((await world.run([...train, '--vary', 'three'])).err).toContain(
      'vary has no run "three"; expected one of one, two',
    );
    expect((await world.run(['run', 'DIR/toy.yaml', '--vary', 'x'])).err).toContain('it has no vary');
  });
});

describe('demo', () => {
  it('goes on, and refuses to replace, as run does', async () => {
    const demo = ['demo', '--out', 'DIR/demo', '--set', 'seeds=[0]', '--resume'];
    expect((await world.run([...demo, '--fail-fast'])).code).toBe(0);
    const { code, err } = await world.run([...demo, '--set', 'train.epochs=2']);
    expect(err).toContain('--resume: DIR/demo holds results of other settings');
    expect(code).toBe(2);
  });

  it.each([
    ['the whole where anything computes fast', [], 'smallCnn', 21],
    ['a smaller one on the reference', ['--device', 'reference'], 'lenet', 7],
  ])('%s', async (_, flags, model, cells) => {
    const out = world.path(`demo-${model}`);
    const { code, err } = await world.run(['demo', '--out', out, ...flags]);
    expect(code, err).toBe(0);
    expect(err).toContain(`${cells} cells`);
    expect(err.includes('a smaller network')).toBe(model === 'lenet');
    const { recipe } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
    expect(recipe.model.name).toBe(model);
  });
});

describe('help', () => {
  // A file is a command: one that is not registered has no help.
  const commands = readdirSync(new URL('../../cli/commands/', import.meta.url)).map((file) =>
    file.replace(/\.ts$/, ''),
  );
  it.each([[''], ...commands.map((c) => [c]), ['datasets list'], ['datasets check'], ['datasets get']])(
    '%s',
    async (words) => {
      const { code, out, err } = await world.run([...words.split(' ').filter(Boolean), '--help']);
      expect(code).toBe(0);
      expect(err).toBe('');
      expect(out).toMatch(/^Examples:\n {2}lethe /);
      expect(out).toMatchSnapshot();
    },
  );

  it('lethe alone shows it too, as wrong use', async () => {
    const { code, err } = await world.run([]);
    expect(err).toMatch(/^Examples:/);
    expect(code).toBe(2);
  });

  it('datasets list names what can be had', async () => {
    const { out } = await world.run(['datasets', 'list', '--json']);
    expect(JSON.parse(out).map((d: { name: string }) => d.name)).toContain('fashion-mnist');
    expect((await world.run(['datasets', 'list'])).out).toMatch(/^glyphs +no/m);
  });
});

describe('options of commands below commands', () => {
  it.each<[string[], object]>([
    [['below'], { seconds: '10', color: true }],
    [['--seconds', '3', 'below'], { seconds: '3', color: true }],
    [['--seconds', '3', 'below', '--seconds', '4'], { seconds: '4', color: true }],
    [['--no-color', '--json', 'below'], { seconds: '10', color: false, json: true }],
  ])('%j', (argv, want) => {
    const top = new Command().enablePositionalOptions().option('--seconds <n>', '', '1');
    top
      .option('--no-color')
      .option('--json')
      .action(() => {});
    const below = top
      .command('below')
      .option('--seconds <n>', '', '10')
      .option('--no-color')
      .option('--json');
    below.action(() => {});
    top.parse(argv, { from: 'user' });
    expect(optionsOf(below)).toEqual(want);
  });
});
