// Is the model nearer to the retrained or to the original one? A test with an answer of its own for "cannot tell".

import { choice, int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { stratified } from '../random.ts';
import { hockeyStick } from '../statistics/hockeyStick.ts';
import { type RelativeTest, relativeMmd } from '../statistics/mmd.ts';
import { entropy, logitConfidence, type Outputs, selectRows, softmaxRow } from '../statistics/outputs.ts';
import { joinPoints, pointsOf, selectPoints, standardiser } from '../statistics/points.ts';
import type { Points } from '../statistics/rbf.ts';
import { defineAudit } from './define.ts';
import { ALONE, NO_TEST, pause, peersOf } from './rows.ts';
import type { Subject } from './subject.ts';

/** Queries below which the normal approximation is not trusted. */
const MIN_QUERIES = 20;
const LEVEL = 0.05;
/** Bounds of logarithms of probabilities and of logit-scaled confidences. */
const CLIP = 20;

/** What a model answers to each query, as a vector. */
const VIEWS: Readonly<Record<'logSoftmax' | 'confidence', (outputs: Outputs, K: number) => Points>> = {
  logSoftmax: (outputs, K) =>
    pointsOf(
      Array.from(outputs.labels).flatMap((_, i) =>
        Array.from(softmaxRow(outputs.logits, K, i), (p) => Math.max(-CLIP, Math.log(p))),
      ),
      K,
    ),
  confidence: (outputs, K) => {
    const [phi, h] = [logitConfidence(outputs, K), entropy(outputs, K)];
    return pointsOf(
      Array.from(phi).flatMap((value, i) => [Math.max(-CLIP, Math.min(CLIP, value)), h[i]]),
      2,
    );
  },
};

const WORDS = {
  original: 'nearer to the original than to retrain',
  retrain: 'nearer to retrain than to the original',
  none: 'cannot tell',
};

export const relative = defineAudit({
  name: 'relative',
  title: 'Nearer to retrain or to the original?',
  definition:
    'A kernel test whether the answers to the same queries are farther from a retrained model’s than from the original’s, and its mirror image.',
  formula:
    'S = MMD²(u, r) − MMD²(u, o) without bias, paired by query; p = 1 − Φ(S/√v), v its variance over queries; times 3 for bandwidths of ½, 1 and 2 median distances. Over trainings: u, r_1 … r_m in a ring, S_k of each against the next and o; p = (1 + #{S_k ≥ S_u}) / (m + 1). δ: a logistic classifier of u’s answers against r’s, its share of u above even odds minus that of r, by exact binomial bounds',
  source:
    'The question is that of the relative test of arXiv 2601.19755, the construction that of Bounliphone et al., ICLR 2016. Statistic paired by query, vectors, bandwidths, decision and the permutation of models are ours; so is δ, a lower bound on the hockey-stick divergence, of which that paper has another estimate.',
  fools:
    'Nearer to retrain than to the original is a weak demand: a model just past the middle passes. It speaks of answers, not of what features or weights keep. Many queries show differences that do not matter: look at the share, too.',
  certainty:
    'p values are over queries, for these models as they are. The rejections against each retrained model, the control, in which each retrained model stands in the place of the audited one, and the p of the ring are over trainings: that p is exact if the audited model is one more retrained one, and cannot be small with few. There is no permutation of queries: answers of retrain and of the original are not exchangeable where the audited model is as far from both.',
  cost: 'One pass over the queries of each model; kernels of (3 n)² pairs of n queries: about 2 s for 500.',
  tasks: 'any',
  needs: ['original', 'retrain'],
  uses: ['retrains'],
  options: section('What is asked, and how answers are compared.', {
    on: opt(
      choice('Queries: forgotten training samples, or test samples of the forgotten classes.', [
        'forget',
        'gone',
      ]),
      'forget',
    ),
    view: opt(
      choice(
        '`logSoftmax`: logarithms of all probabilities; `confidence`: logit-scaled confidence and entropy.',
        ['logSoftmax', 'confidence'],
      ),
      'logSoftmax',
    ),
    queries: opt(int('Queries at most, evenly over the classes.', MIN_QUERIES, 2000), 300),
  }),
  gives: {
    relative_p: {
      label: 'p, original',
      about:
        'Of no being nearer to the original than to retrain; 0.05 or less: it is nearer to the original.',
      unit: '0 to 1',
      target: 'higher',
      digits: 3,
    },
    relative_mirrored: {
      label: 'p, retrain',
      about: 'Of no being nearer to retrain than to the original; 0.05 or less: it is nearer to retrain.',
      unit: '0 to 1',
      target: 'lower',
      digits: 3,
    },
    relative_permutation: {
      label: 'p, trainings',
      about:
        'Of it being one more retrained model: the rank of its S among theirs, by a permutation test over models; at least 1 / (retrained models + 1).',
      unit: '0 to 1',
      target: 'higher',
      digits: 3,
    },
    relative_delta: {
      label: 'δ, at least',
      about:
        'Total variation between its answers and those of a retrained model, the δ at ε = 0, that a classifier of half of the queries proves on the others at 95 %; 0 where it proves none.',
      unit: '0 to 1',
      target: 'retrain',
      digits: 3,
    },
    relative_share: {
      label: 'Place',
      about:
        'MMD² to retrain as a share of MMD² to retrain and to the original: 0 at retrain, 100 at the original.',
      unit: '%',
      target: 'retrain',
      digits: 1,
    },
    relative_rejected: {
      label: 'Rejected',
      about: 'Retrained models against which it is nearer to the original, of all that are given.',
      unit: '%',
      target: 'lower',
      digits: 0,
    },
    relative_control: {
      label: 'Control',
      about: 'Retrained models that the test calls nearer to the original than to another retrained one.',
      unit: '%',
      target: null,
      digits: 0,
    },
  },
  async audit({ on, view, queries }, input) {
    const { own, sets, classes: K, seed, signal } = input;
    const original = input.original as Subject;
    const peers = peersOf(input);
    const split = sets[on];
    const nothing = {
      relative_p: null,
      relative_mirrored: null,
      relative_permutation: null,
      relative_delta: null,
      relative_share: null,
      relative_rejected: null,
      relative_control: null,
    };
    if (!split) return { values: nothing, notes: [NO_TEST] };
    if (split.size < MIN_QUERIES)
      return { values: nothing, notes: [`${split.size} queries are too few: ${MIN_QUERIES} are needed.`] };
    if (peers.length === 0) return { values: nothing, notes: [ALONE] };

    const rows = stratified(split.labels, Math.min(queries, split.size), seed, 0x72656c);
    const known = new Map<Subject, Points>();
    for (const subject of new Set([own, original, ...peers])) {
      const outputs = await subject.answers(split, { signal });
      known.set(subject, VIEWS[view](selectRows(outputs, K, rows), K));
    }
    const test = async (a: Subject, retrain: Subject): Promise<RelativeTest> => {
      await pause(input);
      const sides = [a, retrain, original].map((subject) => known.get(subject) as Points);
      const pooled = joinPoints(...sides);
      const scaled = standardiser(pooled)(pooled);
      const part = (i: number) =>
        selectPoints(
          scaled,
          Array.from(rows, (_, r) => i * rows.length + r),
        );
      return relativeMmd(part(0), part(1), part(2), LEVEL);
    };
    const share = (tests: readonly RelativeTest[]) =>
      (100 * tests.filter(({ p }) => p <= LEVEL).length) / tests.length;

    const tests: RelativeTest[] = [];
    for (const peer of peers) tests.push(await test(own, peer));
    const controls: RelativeTest[] = [];
    if (peers.length > 1)
      for (const [i, peer] of peers.entries()) controls.push(await test(peer, peers[(i + 1) % peers.length]));
    const [{ p, mirrored, nearer, scales }] = tests;
    // In a ring each is compared with the next. Turned by one place it is as likely, if own is one more retrained model.
    const ring = [tests[0], ...controls.slice(0, -1)];
    if (peers.length > 1) ring.push(await test(peers[peers.length - 1], own));
    const [ofOwn, ...ofPeers] = ring.map((one) => one.scales[0].statistic);
    const asFar = ofPeers.filter((statistic) => statistic >= ofOwn).length;
    const [mine, target] = [own, peers[0]].map((subject) => known.get(subject) as Points);
    const { low } = hockeyStick(mine, target, { seed });
    const [near, far] = [scales[0].toRetrain, scales[0].toOriginal].map((value) => Math.max(0, value));
    return {
      values: {
        relative_p: p,
        relative_mirrored: mirrored,
        relative_permutation: peers.length > 1 ? (1 + asFar) / ring.length : null,
        relative_delta: low,
        relative_share: near + far > 0 ? (100 * near) / (near + far) : null,
        relative_rejected: share(tests),
        relative_control: controls.length > 0 ? share(controls) : null,
      },
      notes: [
        `${rows.length} queries: ${WORDS[nearer ?? 'none']}.`,
        ...(controls.length > 0 ? [] : ['No control: it takes two retrained models beside the audited one.']),
      ],
    };
  },
});
