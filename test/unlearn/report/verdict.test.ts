// What may be concluded: that nothing may where nothing was learned, and that no flag goes unsaid.

import { describe, expect, it } from 'vitest';
import { againstRetrain } from '../../../unlearn/metrics/measure.ts';
import { asked } from '../../../unlearn/report/grounds.ts';
import { renderReport, renderTable, verdictOf, viewOf } from '../../../unlearn/report/index.ts';
import { limitOf } from '../../../unlearn/report/rules.ts';
import type { Metrics, Results, RunEntry } from '../../../unlearn/types.ts';
import { fixture, underfitted, withAudits, withControl } from './fixture.ts';

type Change = Partial<Metrics> | ((run: RunEntry) => Partial<Metrics>);

/** The fixture with some metrics of some methods replaced, gaps computed again. */
function changed(
  changes: Record<string, Change>,
  kind: 'class' | 'samples' = 'class',
  seeds: readonly number[] = [0, 1, 2],
): Results {
  const results = fixture(kind, seeds);
  const runs = results.runs.map((run): RunEntry => {
    const change = changes[run.method] ?? changes.every ?? {};
    const set = typeof change === 'function' ? change(run) : change;
    const metrics = { ...run.metrics, ...set };
    if (set.ua !== undefined) metrics.acc_forget = 100 - set.ua;
    return { ...run, metrics };
  });
  const target = (seed: number) => runs.find((run) => run.method === 'retrain' && run.seed === seed)?.metrics;
  const paired = (run: RunEntry) => againstRetrain(run.metrics, target(run.seed) ?? run.metrics);
  return { ...results, runs: runs.map((run) => ({ ...run, metrics: paired(run) })) };
}

const only = (results: Results, ...methods: string[]): Results => ({
  ...results,
  runs: results.runs.filter((run) => ['original', 'retrain', ...methods].includes(run.method)),
});
const kindsOf = (results: Results, method: string) =>
  (verdictOf(results).flags[method] ?? []).map((flag) => flag.kind);
const words = (text: string) => text.replace(/\s+/g, ' ');
const plain = (page: string) =>
  words(page.replace(/<(script|style)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ''));

describe('the grounds', () => {
  it('ask for more than guessing gives: by chance over the samples, and by a quarter of the way', () => {
    expect(asked(10, 36_000)).toBeCloseTo(32.5, 10);
    // Five pictures of two classes: 3.09 standard deviations of a share of 5 are 69 points.
    expect(asked(50, 5)).toBeCloseTo(50 + 309 * Math.sqrt(0.25 / 5), 10);
    expect(asked(20, null)).toBeCloseTo(40, 10);
  });

  it('hold where all three models learned', () => {
    for (const kind of ['class', 'samples'] as const) {
      const { grounds, grade } = verdictOf(fixture(kind));
      expect(grounds.map(({ about, holds }) => [about, holds])).toEqual([
        ['original', true],
        ['forgotten', true],
        ['retrain', true],
        ['measurable', true],
      ]);
      expect(grade).not.toBe('void');
    }
  });

  // One epoch of the demo, from a run of it: RA 23.9, TA 22.0; Boundary Shrink 0.28 points from retrain.
  const untrained = changed({
    original: { ua: 80, ra: 23.9, ta: 22 },
    retrain: { ua: 100, ra: 24, ta: 22.1, mia: 60 },
    boundaryShrink: { ua: 99.6, ra: 23.8, ta: 22, mia: 60.2, asr: 90 },
  });

  it.each(['page', 'terminal'])('where the original stayed near guessing, the %s praises nobody', (where) => {
    const results = only(untrained, 'boundaryShrink');
    const text = where === 'page' ? plain(renderReport(results)) : words(renderTable(results));
    expect(text).toContain(
      'Nothing can be concluded from these results. The original model has not learned its task on every seed: RA is 23.9 %; guessing gives 11.1 %, and more than 33.3 % is asked.',
    );
    expect(text).toContain('Train longer (train.epochs) or with another rate (train.learningRate)');
    expect(text).not.toMatch(/comes (close|near)|Close to retraining|-forgets \(|gained nothing \(/);
  });

  it('and nothing is coloured as close', () => {
    const results = only(untrained, 'boundaryShrink');
    expect(renderReport(results)).not.toMatch(/class="num[^"]*\bg[0-3]\b/);
    expect(renderTable(results, { color: true })).not.toContain('\u001b[36m');
  });
  it('a failing seed counts, and is named', () => {
    const one = (run: RunEntry) => (run.seed === 1 ? { ra: 19 } : {});
    expect(verdictOf(changed({ original: one }))).toMatchObject({ grade: 'void', best: null });
    const { grounds, headline } = verdictOf(changed({ retrain: one }));
    expect(grounds[2]).toMatchObject({ about: 'retrain', holds: false, seeds: [1] });
    expect(headline).toContain('The retrained model has not learned its task on seed 1: RA is 19.0 %');
    const two = (run: RunEntry) => (run.seed === 1 ? {} : { ra: 19 });
    expect(verdictOf(changed({ retrain: two })).headline).toContain('on seeds 0 and 2');
  });

  it('the most frequent class is no learning either', () => {
    const results = changed({ every: { ra: 91 } });
    const kept = { size: 40_500, largestClass: 36_450 };
    const skewed = { ...results, environment: { ...results.environment, kept } };
    expect(verdictOf(results).grade).not.toBe('void');
    expect(verdictOf(skewed).headline).toContain('guessing gives 90.0 %, and more than 92.5 % is asked');
  });

  it('training that says it stayed at chance is believed', () => {
    const results = fixture('class', [0]);
    const runs = results.runs.map((run) =>
      run.method === 'retrain' ? { ...run, details: { learned: false } } : run,
    );
    expect(verdictOf({ ...results, runs }).headline).toContain('its training stayed at chance');
  });

  it('a class that the original never knew cannot be forgotten', () => {
    const { headline, grade } = verdictOf(changed({ original: { ua: 85, mia: 60 } }));
    expect(grade).toBe('void');
    expect(headline).toContain(
      'does not know the forgotten data on every seed: it answers 15.0 % of them rightly',
    );
  });

  it('samples that retrain answers as well as the original does show no forgetting', () => {
    const alike = { original: { ua: 4.8, mia: 12 }, retrain: { ua: 5.2, mia: 12.5 } };
    const { headline, remarks, grade } = verdictOf(changed(alike, 'samples'));
    expect(grade).toBe('void');
    expect(headline).toContain(
      'Forgetting cannot be seen on every seed: the original model answers 95.2 % of the forgotten data rightly, retrain 94.8 %',
    );
    expect(remarks.join(' ')).toContain('forget more of them');
    // The attack can tell them apart where accuracy cannot, if it can be measured.
    const told = { ...alike, original: { ua: 4.8, mia: 0.1 } };
    expect(verdictOf(changed(told, 'samples')).grade).not.toBe('void');
    const blind = { ...told, original: { ua: 4.8, mia: 2, mia_measurable: 0 } };
    expect(verdictOf(changed(blind, 'samples')).grade).toBe('void');
    // So can a difference that retrain's own seeds do not put there.
    const noisy = (run: RunEntry) => ({ ua: [1, 16, 31][run.seed], mia: 12 });
    const known = { original: { ua: 1, mia: 12 }, retrain: { ua: 16, mia: 12 } };
    expect(verdictOf(changed(known, 'samples')).grade).not.toBe('void');
    expect(verdictOf(changed({ ...known, retrain: noisy }, 'samples')).grade).toBe('void');
  });

  it('one of two classes: retrain has nothing to tell apart, and needs not', () => {
    const two = changed({});
    const environment = { ...two.environment, classes: ['a', 'b'], kept: { size: 500, largestClass: 500 } };
    expect(verdictOf({ ...two, environment }).grounds.every(({ holds }) => holds)).toBe(true);
  });

  it('that cannot be checked are said to be so', () => {
    const results = fixture('class', [0]);
    const runs = results.runs.map(({ exhibits: _, ...run }) => run);
    const { grounds, remarks } = verdictOf({ ...results, environment: {}, runs });
    expect(grounds.map(({ holds }) => holds)).toEqual([null, true, null, true]);
    expect(remarks[0]).toContain('was not checked: the number of classes is not known');
  });
});

describe('flags', () => {
  it('tell collapse, divergence, no forgetting and no gain', () => {
    const results = fixture();
    expect(kindsOf(results, 'gradientAscent')).toEqual(['collapsed']);
    expect(kindsOf(results, 'scrub')).toEqual([]);
    expect(kindsOf(fixture('samples'), 'gradientAscent')).toEqual(['unforgotten', 'idle']);
    // Who hardly forgot is not also said to have forgotten too much.
    const odd = fixture('samples');
    const marked = odd.runs.map((run) =>
      run.method === 'gradientAscent'
        ? { ...run, metrics: { ...run.metrics, entropy_forget: 3, asr: 0, asr_measurable: 1 } }
        : run,
    );
    expect(kindsOf({ ...odd, runs: marked }, 'gradientAscent')).toEqual(['unforgotten', 'idle']);
    expect(kindsOf(changed({ scrub: { nonfinite: 50 } }), 'scrub')).toEqual(['diverged']);
    const once = (run: RunEntry) => (run.seed === 2 ? { ra: 40 } : {});
    expect(verdictOf(changed({ scrub: once })).flags.scrub[0].text).toMatch(
      /^collapsed \(lost 59\.\d points .* on seed 2\)$/,
    );
  });

  it.each<[string, Partial<Metrics>, string[]]>([
    ['less certain than retrain', { entropy_forget: 1.5 }, ['overforgotten']],
    ['more certain than retrain', { entropy_forget: 0.3 }, ['certain']],
    ['UA below', { ua: 93 }, ['underforgotten']],
    ['MIA below', { mia: 85 }, ['underforgotten']],
    ['ASR above', { asr: 60 }, ['underforgotten']],
    ['ASR below', { asr: 0 }, ['overforgotten']],
    ['all near', { ua: 99, mia: 95, asr: 15, entropy_forget: 1.2 }, []],
  ])('a whole class, %s', (_, metrics, kinds) => {
    expect(kindsOf(changed({ scrub: { ...metrics } }), 'scrub')).toEqual(kinds);
  });

  it.each<[string, Partial<Metrics>, string[]]>([
    ['UA above', { ua: 12 }, ['overforgotten']],
    ['MIA above', { mia: 25 }, ['overforgotten']],
    ['MIA above, not measurable', { mia: 60, mia_measurable: 0 }, []],
    ['ASR off, not measurable', { asr: 5, asr_measurable: 0 }, []],
  ])('single samples, %s', (_, metrics, kinds) => {
    const near = { ua: 5.2, mia: 13, asr: 68, entropy_forget: 0.16 };
    expect(kindsOf(changed({ scrub: { ...near, ...metrics } }, 'samples'), 'scrub')).toEqual(kinds);
  });

  it('name the furthest reason first, each by its own measure of far', () => {
    const near = { ua: 5.2, mia: 13, asr: 68, entropy_forget: 0.16 };
    const reasons = (metrics: Partial<Metrics>) =>
      verdictOf(changed({ scrub: { ...near, mia: 43, asr: 20, ...metrics } }, 'samples'))
        .flags.scrub.find(({ kind }) => kind === 'overforgotten')
        ?.text.match(/UA|MIA|ASR|outputs/g);
    // 4 times UA's 5 points and entropy's 0.5 nats, 3 times MIA's 10, 2.4 times ASR's 20.
    expect(reasons({ ua: 25 })).toEqual(['UA', 'MIA', 'ASR']);
    expect(reasons({ entropy_forget: 2.16 })).toEqual(['outputs', 'MIA', 'ASR']);
  });

  it('allow for what retrain itself varies by, and for one picture', () => {
    expect(limitOf(5, { std: 4, n: 3 })).toBe(8);
    expect(limitOf(5, { std: 4, n: 2 })).toBe(5);
    expect(limitOf(5, null, 0, 100 / 7)).toBeCloseTo(14.3, 1);
    const noisy = (run: RunEntry) => ({ asr: [1, 21, 41][run.seed] });
    expect(kindsOf(changed({ scrub: { asr: 50 }, retrain: noisy }), 'scrub')).toEqual([]);
  });
});

describe('the verdict', () => {
  it('names the nearest approximate method, and grades it', () => {
    expect(verdictOf(fixture())).toMatchObject({
      best: 'scrub',
      grade: 'close',
      badge: 'Close to retraining',
    });
    expect(verdictOf(fixture()).headline).toMatch(
      /^SCRUB comes close to a model that never saw the data: 0\.\d\d points away/,
    );
    expect(verdictOf(changed({ scrub: { nonfinite: 50 } })).best).toBe('l1Sparse');
  });

  // Random labels measure like retrain on all four, and are far less certain of what they forgot: 2.0 nats against 0.15.
  const betrayed = only(
    changed(
      {
        original: { ua: 0.1, mia: 1.3 },
        retrain: { ua: 5.2, ra: 99.9, ta: 94.3, mia: 12.9, asr: 68, entropy_forget: 0.15 },
        randomLabels: { ua: 5.5, ra: 99.7, ta: 93.9, mia: 13.2, asr: 60, entropy_forget: 2 },
        boundaryShrink: { ua: 3.5, ra: 98.4, ta: 93, mia: 10.2, asr: 66, entropy_forget: 0.15 },
        finetune: { ua: 1, ra: 99.9, ta: 94.2, mia: 10, asr: 75, entropy_forget: 0.1 },
      },
      'samples',
    ),
    'randomLabels',
    'boundaryShrink',
    'finetune',
  );

  it.each(['page', 'terminal'])('%s: a flag caps the grade and stands in the headline', (where) => {
    const results = only(betrayed, 'randomLabels');
    expect(verdictOf(results)).toMatchObject({
      best: 'randomLabels',
      grade: 'partly',
      badge: 'Partly there',
    });
    const text = where === 'page' ? plain(renderReport(results)) : words(renderTable(results));
    expect(text).toContain('0.30 points away on average');
    expect(text).toContain(
      'but it over-forgets (outputs on the forgotten data 1.85 nats less certain than retraining’s)',
    );
    expect(text).not.toContain('Close to retraining');
  });

  it('a clean method with a better grade is named before one with a smaller gap', () => {
    const { best, grade, headline } = verdictOf(betrayed);
    expect([best, grade]).toEqual(['boundaryShrink', 'close']);
    expect(headline).toContain('Random labels has a smaller average gap (0.30), but it over-forgets');
  });

  it('never names a method that hardly forgot or gained nothing', () => {
    const { best, grade, headline } = verdictOf(only(betrayed, 'finetune'));
    expect([best, grade]).toEqual([null, 'none']);
    expect(headline).toBe(
      'No method can be recommended: Fine-tune hardly forgot (UA moved by +0.9 points where retraining moves it by +5.1).',
    );
  });

  it('is not close beyond 5 points of one measure, or at more than half of what doing nothing gives', () => {
    const near = { ua: 100, ra: 99.9, ta: 94.9, mia: 100, asr: 21, entropy_forget: 0.92 };
    const verdict = (metrics: Partial<Metrics>) =>
      verdictOf(only(changed({ scrub: { ...near, ...metrics } }), 'scrub'));
    expect(verdict({}).grade).toBe('close');
    expect(verdict({ ta: 89 })).toMatchObject({
      grade: 'partly',
      headline: expect.stringMatching(/but its TA is 5\.\d points below retraining’s/),
    });
    const small = {
      original: { ua: 2, mia: 6 },
      retrain: { ua: 5, mia: 15 },
      scrub: { ...near, ua: 3, mia: 10.5, ta: 94.3, asr: 68, entropy_forget: 0.16 },
    };
    expect(verdictOf(only(changed(small, 'samples'), 'scrub'))).toMatchObject({
      grade: 'partly',
      headline: expect.stringContaining('but the original model, which forgot nothing, is only 3.'),
    });
  });

  it('there is none without a retrain, an original or a method', () => {
    const without = (method: string) => {
      const results = fixture();
      return { ...results, runs: results.runs.filter((run) => run.method !== method) };
    };
    expect(verdictOf(without('retrain')).headline).toContain(
      'No verdict: these results hold no retrained model',
    );
    expect(verdictOf(without('original')).headline).toContain(
      'No verdict: these results hold no original model',
    );
    expect(verdictOf(only(fixture())).headline).toContain('there is no unlearning method');
    expect(renderReport(without('retrain'))).toContain('No verdict: these results hold no retrained model');
  });

  it('is plain data', () => {
    const verdict = verdictOf(fixture());
    expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
  });
});

describe('an attack that is no better than chance', () => {
  const results = changed(
    {
      every: { mia_attack_acc: 51.3, mia_measurable: 0, mia_sd: 40.2 },
      original: { ua: 0.1, mia: 4.3, mia_attack_acc: 50.4, mia_measurable: 0, mia_sd: 2 },
      retrain: {
        ua: 12.2,
        ra: 99.9,
        ta: 94.3,
        mia: 89.5,
        mia_attack_acc: 51.3,
        mia_measurable: 0,
        mia_sd: 40.2,
      },
      boundaryShrink: {
        ua: 12,
        ra: 99.8,
        ta: 94,
        mia: 4,
        asr: 68,
        entropy_forget: 0.16,
        mia_attack_acc: 50.2,
        mia_measurable: 0,
      },
    },
    'samples',
  );

  it('leaves gap and grade', () => {
    const row = viewOf(results).rows.find(({ summary }) => summary.method === 'boundaryShrink');
    expect(row?.measures).toEqual(['ua', 'ra', 'ta']);
    expect(row?.avgGap?.mean).toBeCloseTo((0.2 + 0.1 + 0.3) / 3, 9);
    const { grade, headline, remarks } = verdictOf(results);
    expect(grade).toBe('close');
    expect(headline).toContain('0.20 points away on average over UA, RA and TA');
    expect(remarks[0]).toBe(
      'MIA is not measurable here: under the retrained model the attack is right on 51.3 % of its own training samples, no more than chance would give. It is left out of gaps and verdict.',
    );
  });

  it('is not measurable in every table, with the raw numbers beside it', () => {
    const top = /<header class="top"[\s\S]*?<\/header>/.exec(renderReport(results))?.[0] ?? '';
    expect(plain(top)).toContain('MIA is not measurable here');
    expect(renderReport(results)).toContain(
      'title="as measured, for what it is worth: 89.50 ± 40.20 over draws of members">not measurable',
    );
    const table = renderTable(results);
    expect(table).toMatch(/^Retrain .* not measurable /m);
    expect(words(table)).toContain('MIA is not measurable here');
    expect(words(table)).toContain('MIA as measured: Original 4.30 ± 2.00, Retrain 89.50 ± 40.20,');
  });

  it('is said so where nothing can be concluded too', () => {
    const coin = { mia_attack_acc: 51.3, mia_measurable: 0 };
    const alike = { every: coin, original: { ...coin, ua: 4.3 }, retrain: { ...coin, ua: 5.2 } };
    const { grade, remarks } = verdictOf(changed(alike, 'samples'));
    expect(grade).toBe('void');
    expect(remarks).toEqual([
      expect.stringContaining('forget more of them'),
      expect.stringContaining('MIA is not measurable here'),
    ]);
  });

  it('on entropy is a caution', () => {
    const { remarks, cautions } = verdictOf(changed({ scrub: { asr_measurable: 0 } }));
    expect(remarks).toEqual([]);
    expect(cautions).toContain(
      'ASR is not measurable for SCRUB: its attack is no better than chance on its own training samples.',
    );
  });

  it('in one method alone leaves that method’s gap', () => {
    const one = changed({ scrub: { mia_measurable: 0, mia_attack_acc: 50.9, mia: 20, ua: 100 } });
    const { best, remarks } = verdictOf(one);
    expect(best).toBe('scrub');
    expect(remarks[0]).toContain(
      'MIA is not measurable for SCRUB (the attack is right on 50.9 % of its own training samples)',
    );
  });
});

describe('forgetting that is not measurable', () => {
  const results = underfitted();
  const { grade, badge, best, headline, remarks, certainty } = verdictOf(results);

  it('names no winner, and says why', () => {
    expect({ grade, badge, best, certainty }).toEqual({
      grade: 'void',
      badge: 'Not measurable',
      best: null,
      certainty: null,
    });
    expect(headline).toContain('Not measurable: no method is named.');
    expect(headline).toContain('Forgetting is not measurable here, by any metric or audit');
    expect(remarks.join(' ')).toContain('forget more of them');
  });

  it.each(['page', 'terminal'])('on the %s, under every audit', (where) => {
    const text = where === 'page' ? plain(renderReport(results)) : words(renderTable(results));
    expect(text).toContain('Not measurable: no method is named.');
    expect(text).not.toMatch(
      /comes (close|near)|Close to retraining|-forgets \(|gained nothing \(|Still there/,
    );
    if (where === 'terminal') return;
    const audits = Object.keys(results.runs[0].audits ?? {});
    expect(audits.length).toBeGreaterThan(3);
    const section = /<section id="audits"[\s\S]*?<\/section>/.exec(renderReport(results))?.[0] ?? '';
    expect(section.match(/class="outcome void"/g)).toHaveLength(audits.length);
    expect(section).not.toMatch(/Like retrain|class="num[^"]*\bg[0-3]\b/);
  });

  it('also where retrain differs from itself as much as the original does from it', () => {
    const swaying = (run: RunEntry) => ({ ta: [70, 90, 99][run.seed], ra: [70, 90, 99][run.seed] });
    const found = verdictOf(changed({ retrain: swaying, original: { ra: 90, ta: 90 } }, 'samples'));
    expect(found.grounds.at(-1)).toMatchObject({ about: 'measurable', holds: false });
    // UA and MIA of the fixture move by less than a point: (29 + 29) / 4, (20 + 20) / 4 and (9 + 9) / 4 on average.
    expect(found.headline).toMatch(/retrained models of different seeds are (9\.[6-9]|10\.[0-2])\d apart/);
  });

  it('does not count an attack whose draws of members put the distance there', () => {
    // UA, RA and TA are alike; MIA is 5 or 89 by the draw.
    const alike = { ua: 8, ra: 93, ta: 88 };
    const shaken = changed(
      { original: { ...alike, ua: 3, mia: 5, mia_sd: 42 }, every: { ...alike, mia: 89, mia_sd: 42 } },
      'samples',
      [0],
    );
    expect(verdictOf(shaken).grounds.at(-1)).toMatchObject({ about: 'measurable', holds: false });
    expect(verdictOf(shaken).headline).toContain(
      '1.67 points from retrain by average gap over UA, RA and TA',
    );
  });
});

describe('certainty', () => {
  it('is the interval of the gap over seeds, and what another retrain would give', () => {
    const steady = { every: { ra: 99, ta: 94 }, original: { ua: 0, mia: 0, ra: 99, ta: 94 } };
    const results = changed(
      {
        ...steady,
        retrain: (run) => ({ ua: 100 - run.seed, mia: 100, ra: 99, ta: 94 }),
        // Average gaps of 1, 1.25 and 1.5: mean 1.25, standard deviation 0.25.
        scrub: (run) => ({ ua: 96 - 2 * run.seed, mia: 100, ra: 99, ta: 94 }),
      },
      'class',
    );
    const { certainty } = verdictOf(only(results, 'scrub'));
    const half = (4.302653 * 0.25) / Math.sqrt(3);
    expect(certainty).toContain('Measured for SCRUB on 3 seeds');
    expect(certainty).toContain(`${(1.25 - half).toFixed(2)} to ${(1.25 + half).toFixed(2)} points`);
    // Retrains differ by 1, 1 and 2 points of UA alone.
    expect(certainty).toContain('are 0.33 apart.');
    expect(viewOf(results).rows.find(({ summary }) => summary.method === 'scrub')?.alike).toBe(false);
  });

  it('says so of a gap within that of two retrains, and of a single seed', () => {
    const near = { scrub: (run: RunEntry) => ({ ua: 99.9 - 0.05 * run.seed, mia: 100, ra: 99.9, ta: 94.9 }) };
    const far = { retrain: (run: RunEntry) => ({ ua: 100, ra: 99.9, mia: 100, ta: [93, 95, 97][run.seed] }) };
    const loose = {
      scrub: (run: RunEntry) => ({ ua: 100, ra: 99.9, mia: 100, ta: [93.5, 95, 96.5][run.seed] }),
    };
    expect(verdictOf(changed({ ...near, ...far, ...loose })).certainty).toContain(
      'it cannot be told from another retrain',
    );
    expect(verdictOf(fixture('class', [0])).certainty).toContain('one seed: there is no interval');
  });
});

describe('audits', () => {
  const results = withAudits(fixture());

  it('score a row between retrain and the original, where they can tell these apart', () => {
    const view = viewOf(results);
    const mean = (method: string) => {
      const values = results.runs
        .filter((run) => run.method === method)
        .map((run) => run.audits!.probe.values.probe as number);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const score = (mean('scrub') - mean('retrain')) / (mean('original') - mean('retrain'));
    const row = (method: string) => view.rows.find(({ summary }) => summary.method === method)!;
    expect(row('scrub').audits.probe.probe.score).toBeCloseTo(score, 12);
    expect(row('retrain').audits.probe.probe.score).toBeCloseTo(0, 12);
    expect(row('original').audits.probe.probe.score).toBeCloseTo(1, 12);
    // Retrain's values of KLoM are far apart; an audit that failed has none.
    expect(view.audits.find(({ label }) => label === 'klom')?.tells.klom).toMatchObject({ holds: false });
    expect(row('scrub').audits.klom.klom.score).toBeNull();
  });

  it('with one retrain give no score', () => {
    const one = withAudits(fixture('class', [0]));
    const [column] = viewOf(one).audits;
    expect(column.tells.probe).toMatchObject({ holds: false, why: 'one retrain: its spread is not known' });
    expect(verdictOf(one).flags.scrub).toBeUndefined();
    expect(verdictOf(one).cautions.join(' ')).toContain('one retrain: its spread is not known');
  });

  it('with one retrain give a score by the spread of further ones audited in its place', () => {
    const one = withAudits(fixture('class', [0]));
    const again = [{ probe: 60 }, { probe: 62.5 }, { probe: null }];
    const runs = one.runs.map((run) =>
      run.method === 'retrain'
        ? { ...run, audits: { ...run.audits, probe: { ...run.audits!.probe, again } } }
        : run,
    );
    const view = viewOf({ ...one, runs });
    const own = (method: string) =>
      runs.find((run) => run.method === method)!.audits!.probe.values.probe as number;
    const mean = (own('retrain') + 60 + 62.5) / 3;
    const { holds, retrain } = view.audits.find(({ label }) => label === 'probe')!.tells.probe;
    expect([holds, retrain?.n]).toEqual([true, 3]);
    expect(retrain?.mean).toBeCloseTo(mean, 12);
    const scrub = view.rows.find(({ summary }) => summary.method === 'scrub')!.audits.probe.probe;
    expect(scrub.score).toBeCloseTo((own('scrub') - mean) / (own('original') - mean), 12);
    expect(scrub.gap).toBeCloseTo(own('scrub') - own('retrain'), 12);
    // Another audit of the same run, without them, has none.
    expect(view.audits.find(({ label }) => label === 'rmia')!.tells.rmia.holds).toBe(false);
    expect(verdictOf({ ...one, runs }).certainty).not.toContain('audits give no score');
    expect(verdictOf(one).certainty).toContain('audits give no score');
  });

  it('keep a method whose features still hold the data from being called close', () => {
    const hidden = withAudits(fixture(), { scrub: 0.9 });
    expect(verdictOf(results)).toMatchObject({ best: 'scrub', grade: 'close' });
    const { flags, grade, best, headline } = verdictOf(only(hidden, 'scrub'));
    expect(flags.scrub.map(({ kind }) => kind)).toEqual(['held']);
    expect([best, grade]).toEqual(['scrub', 'partly']);
    expect(headline).toMatch(
      /but it still holds the information although its outputs look forgotten \(.* scores it 0\.9\d/,
    );
    // Another audit's score alone says nothing of that: here of the user's own.
    const other = withAudits(fixture(), { scrub: 0.9 }, ['own']);
    expect(verdictOf(other).flags.scrub).toBeUndefined();
  });
});

describe('controls', () => {
  it('are shown, never ranked, and tell how much batch norm alone does', () => {
    const results = only(
      withControl(fixture(), 'boundaryShrink', 77),
      'boundaryShrink',
      'boundaryShrink-rate0',
    );
    const { best, remarks, flags } = verdictOf(results);
    expect(best).toBe('boundaryShrink');
    expect(flags).not.toHaveProperty('boundaryShrink-rate0');
    expect(remarks).toEqual([
      expect.stringMatching(
        /^Boundary Shrink moves UA by \+94\.\d points; with learning rate 0 it moves it by \+77\.0: batch-norm/,
      ),
    ]);
    expect(renderTable(results)).toMatch(/^Boundary Shrink.*\n.*\n {2}at rate 0 /m);
    expect(renderReport(results)).toMatch(/<tr role="row" class="control" /);
  });
});
