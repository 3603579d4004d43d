import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metrics } from '../../../unlearn/metrics/index.ts';
import { escapeHtml, html, imageUri, jsonBlock, visible } from '../../../unlearn/report/html.ts';
import {
  renderReport,
  renderTable,
  toCsv,
  toJson,
  toLatex,
  verdictOf,
  viewOf,
} from '../../../unlearn/report/index.ts';
import type { Results } from '../../../unlearn/types.ts';
import { CLASSES, fixture, unpacked, withAudits, withControl } from './fixture.ts';

const saved = (results: Results): Results => JSON.parse(JSON.stringify(results));
const empty: Results = { version: 1, recipe: {}, device: {}, environment: {}, runs: [] };
const classwise = saved(fixture());
const page = renderReport(classwise);

/** Start tags of a page, scripts' and styles' contents aside, as a tokenizer would see them. */
function tags(text: string): string[] {
  const body = text.replace(/<(script|style)\b([^>]*)>[\s\S]*?<\/\1>/g, '<$1$2>');
  return body.match(/<[a-zA-Z!][^<>]*>/g) ?? [];
}

describe('the view', () => {
  it('has the original first, then retrain, then the methods by their gap', () => {
    const view = viewOf(classwise);
    expect([view.seeds, view.few]).toEqual([[0, 1, 2], false]);
    expect(view.rows.slice(0, 3).map((row) => row.summary.method)).toEqual(['original', 'retrain', 'scrub']);
  });

  it('gaps are means of seed-by-seed distances', () => {
    const view = viewOf(classwise);
    const value = (method: string, seed: number) =>
      classwise.runs.find((run) => run.method === method && run.seed === seed)!.metrics.ta;
    const expected =
      [0, 1, 2].reduce((sum, seed) => sum + value('scrub', seed) - value('retrain', seed), 0) / 3;
    expect(view.rows.find((row) => row.summary.method === 'scrub')?.cells.ta.gap).toBeCloseTo(expected, 10);
  });

  it('computes a gap that the file lacks, from the retrain of the same seed', () => {
    const results = saved(fixture('class', [0]));
    for (const run of results.runs) run.metrics.avg_gap = null as unknown as number;
    const gaps = (of: Results) => viewOf(of).rows.map((row) => row.avgGap?.mean.toFixed(9));
    expect(gaps(results)).toEqual(gaps(fixture('class', [0])));
  });

  it('puts a control below its method, and never among the models', () => {
    const view = viewOf(withControl(classwise, 'boundaryShrink'));
    const at = view.rows.findIndex((row) => row.summary.method === 'boundaryShrink');
    expect(view.rows[at + 1]).toMatchObject({ role: 'control', name: 'Boundary Shrink at rate 0' });
    expect(view.models).toHaveLength(view.rows.length - 1);
  });
});

describe('the page', () => {
  it('is one file: no address outside itself', () => {
    for (const tag of tags(page)) {
      expect(tag).not.toMatch(/\s(src|href|action|srcset|poster)="(?!#|data:image\/png;base64,)/);
      expect(tag).not.toMatch(/^<(link|iframe|object|embed|form|base)\b/);
    }
    expect(page).not.toMatch(/@import|url\(/);
    expect(page).not.toContain('sourceMappingURL');
    expect(page.length).toBeLessThan(1_000_000);
  });

  it('allows exactly its own two scripts, by hash', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/
      .exec(page)?.[1]
      .replaceAll('&#39;', "'");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("script-src 'unsafe");
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
    expect(scripts).toHaveLength(1);
    // The second one stands packed.
    const hashes = [unpacked(page).charts, ...scripts].map(
      (script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    );
    expect(policy).toContain(`script-src ${hashes.join(' ')};`);
  });

  it('says what was forgotten, by what, and defines every column', () => {
    expect(page).toContain('<h1>Forgetting class “deer” in cifar10</h1>');
    expect(page).toMatch(/<strong>SCRUB<\/strong> comes close to a model that never saw the data/);
    for (const { column, definition, aim } of Object.values(metrics))
      if (column) expect(page).toContain(escapeHtml(`${definition} ${aim}`));
    for (const id of [
      'compare',
      'accuracy',
      'cost',
      'entropy',
      'predictions',
      'samples',
      'limits',
      'reproduce',
      'machine',
      'definitions',
    ]) {
      expect(page).toContain(`<section id="${id}"`);
      expect(page).toContain(`<a href="#${id}">`);
    }
    expect(page).toContain('lethe run recipes/scrub-cifar10-class.yaml');
    expect(page).toContain('Gradient ascent collapsed (lost 3');
  });

  it('shows what a search tried, and which of it was run', () => {
    const trial = {
      options: { epochs: 1, learningRate: 0.01 },
      samples: 250,
      seconds: 3,
      retrain: 4.5,
      alone: 2,
    };
    const metrics = { ua: 1, ra: 99, va: 90, mia: null };
    const failed = { ...trial, retrain: null, alone: null, failed: 'the loss became <NaN>' };
    const search = {
      seed: 1000,
      rule: 'retrain' as const,
      budget: 1,
      validation: 411,
      retraining: { samples: 1000, seconds: 30 },
      methods: [
        {
          method: 'scrub',
          ranges: {},
          varied: ['learningRate'],
          trials: [
            { ...trial, metrics },
            { ...trial, options: { learningRate: 2e-4 }, metrics, retrain: 1.25 },
            failed,
          ],
          best: { retrain: 1, alone: 0 },
          chosen: 1,
          notes: ['epochs cut to 1 at most'],
        },
      ],
    };
    const found = renderReport({ ...classwise, search });
    expect(found).toContain('<a href="#search">Search</a>');
    expect(found).toContain('<summary>SCRUB: learningRate 0.0002</summary>');
    expect(found).toMatch(
      /<tr class="chosen"><th scope="row">2 <span class="tag ref">chosen<\/span><\/th><td class="num">0.0002<\/td><td class="num">0.25<\/td>/,
    );
    expect(found).toContain('colspan="6">the loss became &lt;NaN&gt;</td>');
    expect(found).toContain('The rule “alone” would have taken trial 1.');
    expect(found).toContain('Budget: epochs cut to 1 at most.');
    expect(page).not.toContain('id="search"');
    expect(renderReport({ ...classwise, search: { ...search, methods: [] } })).not.toContain('id="search"');
  });

  it('stays small: 24 methods on three seeds, all exhibits and five audits, without sample pictures', () => {
    const all = withAudits(fixture('samples'));
    // Numbers and pictures of their own: what occurs twice would be packed as nothing.
    const again = (i: number) =>
      withAudits(fixture('samples', [3 * i, 3 * i + 1, 3 * i + 2]))
        .runs.filter(({ method }) => !/original|retrain/.test(method))
        .map((run) => ({ ...run, seed: run.seed % 3, method: `${run.method}-${i}` }));
    const many = { ...all, runs: [...all.runs, ...again(1), ...again(2)] };
    expect(viewOf(many).models).toHaveLength(26);
    const small = renderReport(many, { images: false });
    expect(small.length).toBeLessThan(400_000);
    // Panels of the six methods shown at first stand in the page, the others packed, each in its place.
    const { rest } = unpacked(small);
    const [matrices] = /<section id="predictions"[\s\S]*?<\/section>/.exec(small) ?? [''];
    expect(matrices.match(/<figcaption>/g)).toHaveLength(8);
    const places = [...matrices.matchAll(/<figure data-m="(\d+)" data-later="(\d+)" hidden><\/figure>/g)];
    expect(places).toHaveLength(18);
    const { rows } = viewOf(many);
    for (const [, m, at] of places)
      expect(rest[Number(at)]).toContain(`<figcaption>${rows[Number(m)].name}</figcaption>`);
    expect(small).toContain('<noscript><p class="remark">Without scripts');
    expect(page).not.toContain('data-later');
  });

  it('equal results give equal bytes', () => {
    expect(renderReport(saved(fixture()))).toBe(page);
  });

  it('escapes hostile names wherever they come from', () => {
    const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'\`--><!--\u202e${'\u0000'}`;
    const hostile = saved(fixture('class', [0]));
    const results: Results = {
      ...hostile,
      recipe: { dataset: evil, model: { name: evil }, [evil]: { deep: [evil] } },
      device: { [evil]: evil },
      environment: {
        ...hostile.environment,
        classes: Array.from({ length: 10 }, () => evil),
        command: evil,
        hashes: { [evil]: evil },
        notes: [evil],
      },
      runs: hostile.runs.map((run) => ({
        ...run,
        method: /original|retrain/.test(run.method) ? run.method : run.method + evil,
        options: { [evil]: evil },
        audits: {
          [evil]: {
            name: evil,
            title: evil,
            options: { [evil]: evil },
            seconds: 1,
            values: { [evil]: 1 },
            curves: [{ name: evil, x: evil, y: evil, points: [[0, 1]] }],
            samples: [{ set: 'forget', about: evil, ids: [1], scores: [1] }],
            notes: [evil],
            failed: evil,
          },
        },
        exhibits: {
          ...run.exhibits!,
          samples: run.exhibits!.samples.map((s) => ({ ...s, png: `data:image/svg+xml,${evil}` })),
          plane: {
            ...run.exhibits!.plane!,
            images: run.exhibits!.plane!.images.map((s) => ({ ...s, png: `data:image/svg+xml,${evil}` })),
          },
        },
      })),
    };
    const text = renderReport(results, { title: evil, generated: evil });
    const handlers = tags(text).filter((tag) => /\son\w+=/i.test(tag.replace(/"[^"]*"/g, '""')));
    expect(handlers).toEqual([]);
    expect(text).not.toContain('<script>alert');
    expect(text).not.toContain('<img src=x');
    expect(/\p{Bidi_Control}/u.test(text) || text.includes('\u0000')).toBe(false);
    expect(text.match(/<script\b/g)).toHaveLength(4);
    // Packed names are drawn, never read as markup.
    expect(JSON.stringify(unpacked(text).drawings)).not.toMatch(/\p{Bidi_Control}|\\u0000/u);
    const several = {
      ...results,
      runs: [0, 1].flatMap((i) =>
        results.runs.map((run) => ({
          ...run,
          method: run.method + (/original|retrain/.test(run.method) ? '' : i),
        })),
      ),
    };
    const { rest } = unpacked(renderReport(several));
    expect(rest.length).toBeGreaterThan(20);
    expect(rest.join('')).not.toMatch(/<script|<img|\son\w+="|\p{Bidi_Control}/u);
    expect(text.match(/<img\b/g)).toBeNull();
    expect(renderTable(results).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  });

  it('markup from any text is text again (property)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(html`<p title="${text}">${text}</p>`.text.match(/[<>]/g)).toHaveLength(4);
        expect(jsonBlock({ text }).text).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(jsonBlock({ text }).text)).toEqual({ text: visible(text) });
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('shows only plain PNG and JPEG, and none when asked', () => {
    expect(imageUri('data:image/png;base64,iVBORw0KGgo=')).not.toBeNull();
    for (const bad of [
      'data:image/svg+xml;base64,AAAA',
      'https://example.org/a.png',
      'data:image/png;base64,AA" onload="',
      null,
    ]) {
      expect(imageUri(bad)).toBeNull();
    }
    expect(page).toContain('<img src="data:image/png');
    expect(renderReport(classwise, { images: false })).not.toContain('<img');
  });

  it('draws what there is: no runs, no exhibits, many classes, missing numbers', () => {
    expect(renderReport(empty)).toContain('There are no runs in these results.');
    const bare = saved(fixture('class', [0]));
    const stripped = { ...bare, runs: bare.runs.map(({ exhibits: _, ...run }) => ({ ...run, details: {} })) };
    expect(renderReport(stripped)).not.toContain('<section id="entropy"');
    const K = 100;
    const wide = saved(fixture('samples', [0]));
    for (const run of wide.runs) {
      const matrix = Array.from({ length: K }, (_, k) =>
        Array.from({ length: K }, (_, j) => (j === k ? 0.9 : j === (k + 1) % K ? 0.1 : 0)),
      );
      run.exhibits!.forgetPredictions.splice(0, 10, ...matrix);
    }
    expect(renderReport(wide)).toContain('Of 100 classes, the most frequent mistakes');
    for (const run of bare.runs)
      for (const key of Object.keys(run.metrics))
        (run.metrics as unknown as Record<string, null>)[key] = null;
    const nothing = renderReport(bare, { images: false }).replace(/<script[\s\S]*?<\/script>/g, '');
    expect(nothing.match(/NaN|undefined|null/g)).toBeNull();
  });

  it('names the class by number where it has no name', () => {
    const results = saved(fixture('class', [0]));
    const text = renderReport({ ...results, environment: {}, recipe: { forget: { class: 4 } } });
    expect(text).toContain('Forgetting class “4”');
  });

  it('names several classes, or counts them, with a table for each', () => {
    const results = saved(fixture('class', [0]));
    const [deer, cat] = [4, 3];
    const twice = results.runs.map((run) => {
      const matrix = run.exhibits?.forgetPredictions.map((row, k) =>
        k === cat ? [1, ...row.slice(1).fill(0)] : row,
      );
      return { ...run, exhibits: run.exhibits && { ...run.exhibits, forgetPredictions: matrix! } };
    });
    const forget = { kind: 'class', classes: [cat, deer], classIndex: null, count: 9000 };
    const environment = { ...results.environment, forget };
    const both = {
      ...results,
      runs: twice,
      environment,
      recipe: { ...results.recipe, forget: { class: ['cat', deer] } },
    };
    const text = renderReport(both);
    expect(text).toContain('Forgetting classes “cat” and “deer”');
    for (const name of ['cat', 'deer']) expect(text).toContain(`<h3>Class “${name}”</h3>`);
    // Guessing among the eight that are left.
    expect(text).toContain('guessing gives 12.5 %');
    const many = { ...forget, classes: [0, 1, 2, 3, 4] };
    expect(renderReport({ ...both, environment: { ...environment, forget: many } })).toContain(
      'Forgetting 5 classes',
    );
  });

  it('calls a person a person, a whole class of pictures too', () => {
    const results = saved(fixture('class', [0]));
    const forget = { spec: { person: 's5' }, kind: 'class', classIndex: 4 };
    const text = renderReport({ ...results, environment: { forget }, recipe: { forget: { person: 's5' } } });
    expect(text).toContain('Forgetting person “s5”');
  });
});

describe('audits on the page', () => {
  const audited = withAudits(saved(fixture()));
  const text = renderReport(audited);
  const sectionOf = (id: string) =>
    new RegExp(`<section id="${id}"[\\s\\S]*?</section>`).exec(text)?.[0] ?? '';
  const data = JSON.parse(/id="report-data">(.*?)<\/script>/.exec(text)?.[1] ?? '');

  it('stand beside UA, RA, TA and MIA, defined as their records say, or with their keys', () => {
    expect(data.table.columns.slice(0, 9).map(({ key }: { key: string }) => key)).toEqual([
      'ua',
      'ra',
      'ta',
      'mia',
      ...['probe', 'rmia', 'relearn', 'klom', 'own'].map((label) => `audit.${label}`),
    ]);
    expect(sectionOf('definitions')).toContain('<dt>leak <small>own</small></dt>');
    const figure = { label: 'Leak', about: 'Share that leaks.', unit: '%', target: 'retrain', digits: 1 };
    const record = {
      ...{ name: 'own', title: 'Leaks', definition: 'What leaks.', formula: 'leak', source: 'made up' },
      ...{ fools: 'noise', certainty: 'none', cost: 'none', tasks: 'any', needs: [], options: {} },
      gives: { leak: figure },
    };
    const known = renderReport(audited, { audits: { own: record as never } });
    expect(known).toContain('<dt>Leak <small>Leaks</small></dt><dd>What leaks. Share that leaks.');
    expect(known).toMatch(/<dt>What fools it<\/dt><dd>noise/);
  });

  it('say whom they find like retrain and whom like the original, and what they cannot tell', () => {
    const [probe] = /<th[^>]*>Linear probe[\s\S]*?<\/tr>/.exec(sectionOf('audits')) ?? [''];
    expect(probe).toMatch(/Like retrain:<\/b> SISA 0\.\d\d, SCRUB 0\.\d\d</);
    expect(probe).toMatch(/Like the original:<\/b> Fine-tune 0\.\d\d, Boundary Expanding 0\.\d\d/);
    expect(probe).toContain('Not judged, as the network is broken: Gradient ascent');
    expect(sectionOf('audits')).toMatch(/<b>Not measurable<\/b>: the original lies 0\.\d+ from retrain/);
  });

  it('show the attacker’s view: shares above what one in twenty of retrain’s samples reach, and the worst', () => {
    const scores = (method: string) =>
      audited.runs.find((run) => run.method === method)?.audits?.rmia.samples?.[0].scores as number[];
    const limit = [...scores('retrain')].sort((a, b) => b - a)[3];
    const above = scores('finetune').filter((score) => score > limit).length;
    const [row] = /<tr[^>]*><th[^>]*>Fine-tune<[\s\S]*?<\/tr>/.exec(sectionOf('attacker')) ?? [''];
    expect(row).toContain(`${((100 * above) / 60).toFixed(1)}%<small>${above} of 60</small>`);
    expect(row.match(/<li>/g)).toHaveLength(8);
    expect(row).toContain(`<span>${Math.max(...scores('finetune')).toFixed(2)}<small>retrain`);
    expect(renderReport(audited, { images: false })).not.toContain('<img');
  });

  it('have their curves as means over seeds, beside those of retrain and the original', () => {
    const [probe, relearn] = unpacked(text).drawings.curves;
    expect([probe.title, relearn.x, relearn.lines.length]).toEqual([
      'Linear probe: Accuracy of a probe',
      'steps',
      10,
    ]);
    const of = (method: string) =>
      audited.runs
        .filter((run) => run.method === method)
        .map((run) => run.audits!.probe.curves![0].points[2][1]);
    const mean = of('retrain').reduce((sum, y) => sum + y, 0) / 3;
    expect(probe.lines[1].points[2]).toEqual([20, expect.closeTo(mean, 3)]);
  });

  it('reach every export', () => {
    const head = toCsv(audited).split('\r\n')[0];
    expect(head).toContain(',audit.probe.probe,audit.probe.probe_full,audit.rmia.rmia,');
    expect(toLatex(audited)).toMatch(/^SCRUB &.*\$6\d\.\d \\pm \d\.\d\$ \(\$\+3\.\d\$\)/m);
    const { verdict, rows } = JSON.parse(toJson(audited));
    expect(verdict).toEqual(saved(verdictOf(audited) as never));
    const cell = viewOf(audited).rows.find((row) => row.summary.method === 'scrub')!.audits.probe.probe;
    expect(rows[2]).toMatchObject({
      method: 'SCRUB',
      flags: [],
      cells: { 'audit.probe': { mean: cell.spread?.mean, low: cell.gapInterval?.[0], score: cell.score } },
    });
  });
});

describe('accuracy by class, features and losses', () => {
  it('are means over seeds, the forgotten class marked', () => {
    const [block] = /<section id="classes"[\s\S]*?<\/section>/.exec(page) ?? [''];
    expect(block).toContain('<th scope="col" class="own"><span>deer</span></th>');
    const [row] = /<th scope="row">SCRUB<\/th>[\s\S]*?<\/tr>/.exec(block) ?? [''];
    const cells = [...row.matchAll(/>(\d+\.\d)/g)].map(([, text]) => text);
    const mean = (k: number) =>
      [0, 1, 2].reduce((sum, seed) => sum + 94.1 + 3 * Math.sin(3 * k + seed), 0) / 3;
    expect(cells).toEqual(CLASSES.map((_, k) => (k === 4 ? '0.5' : mean(k).toFixed(1))));
  });

  it('a picture keeps its places to a 512th, in three letters a point', () => {
    const { clouds, losses } = unpacked(page).drawings;
    const { x, y, set } = classwise.runs[0].exhibits!.embedding!;
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const { forget, gone, kept } = clouds[0];
    expect([forget, gone, kept].map((text) => text.length / 3)).toEqual([100, 40, 260]);
    const size = Math.max(Math.max(...x) - Math.min(...x), Math.max(...y) - Math.min(...y));
    const placed = (text: string, i: number) => {
      const bits = [0, 1, 2].reduce((sum, k) => 64 * sum + letters.indexOf(text[3 * i + k]), 0);
      return [bits >> 9, bits & 511].map((v) => (v * size) / 511);
    };
    const first = set.indexOf('kept');
    const [[ax, ay], [bx, by]] = [placed(kept, 0), placed(kept, 7)];
    expect(Math.abs(bx - ax - (x[first + 7] - x[first]))).toBeLessThan((1.01 * size) / 511);
    expect(Math.abs(by - ay - (y[first + 7] - y[first]))).toBeLessThan((1.01 * size) / 511);
    // Losses of ten epochs stand at the steps that an epoch took in the mean over seeds.
    expect(losses!.lines).toHaveLength(8);
    const runs = classwise.runs.filter(({ method }) => method === 'scrub');
    const steps = runs.reduce((sum, run) => sum + run.cost.gradientSteps, 0) / 3;
    const line = losses!.lines.find(({ m }) => m === 2);
    expect(line!.points.at(-1)![0]).toBeCloseTo(steps, -1);
  });
});

describe('text exports', () => {
  it('CSV: one line a run, full precision', () => {
    const results = saved(fixture('class', [0, 1]));
    const lines = toCsv(results).trimEnd().split('\r\n');
    expect(lines).toHaveLength(1 + results.runs.length);
    expect(lines[1].split(',')[2]).toBe(String(results.runs[0].metrics.ua));
  });

  it.each(['=cmd|"/c calc"!A1', '+1+1', '-2+3', '@SUM(A1)', '\t=1', '\r=1'])(
    'CSV: no formula from %j, whether a name, a header or a value of a damaged file',
    (evil) => {
      const results = saved(fixture('class', [0]));
      const metrics = { ...results.runs[0].metrics, [evil]: evil as unknown as number, gap: -1.5 };
      const csv = toCsv({ ...results, runs: [{ ...results.runs[0], method: evil, metrics }] });
      const field = /[",\r]/.test(evil) ? `"'${evil.replaceAll('"', '""')}"` : `'${evil}`;
      expect(csv.split(field)).toHaveLength(4);
      expect(csv).not.toMatch(/(^|[,\n"])[=+@\t]/);
      // Numbers stay numbers, also below 0.
      expect(csv).toContain(',-1.5,');
    },
  );

  it('LaTeX: a row a method, special characters escaped', () => {
    const results = saved(fixture());
    const evil = { ...results.runs[0], method: 'a_b%&\\input{x}$', options: {} };
    const latex = toLatex({ ...results, runs: [...results.runs, evil] });
    expect(latex).toContain('SCRUB & $99.');
    expect(latex).toContain('a\\_b\\%\\&\\textbackslash{}input\\{x\\}\\$');
    expect(latex.match(/\\\\$/gm)).toHaveLength(1 + 11);
    expect(latex).toContain('& D\\_ft & MIA & ASR & Avg.\\ gap & ToW & Time');
    expect(latex).toMatch(/^Retrain &.* & \$0\$ & \$1\$ & 43 min/m);
  });
});
