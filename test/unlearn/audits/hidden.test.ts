// The last-layer edit: the original with the forgotten class's output shut, and nothing else. It answers nothing of the class, and
// its features are the original's. On a small convolutional network, trained.

import { beforeAll, expect, it } from 'vitest';
import type { Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import { networkSubject } from '../../../unlearn/audits/subject.ts';
import { problem, stripes, tinyCnn } from '../../../unlearn/check/problem.ts';
import { headOf, withHead } from '../../../unlearn/methods/head.ts';
import { accuracy } from '../../../unlearn/statistics/outputs.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import { train } from '../../../unlearn/train.ts';
import { cut } from '../problems.ts';
import { input } from './kit.ts';

beforeAll(() => lt.init({ device: 'reference' }));

it('is caught by what looks at features, and passes what looks at answers', async () => {
  const model = tinyCnn();
  const { variables, forget, retain } = await problem(model);
  const options = { epochs: 4, batchSize: 16, learningRate: 0.1 };
  const { variables: fresh } = await train({ model, data: retain, options, key: lt.random.key(3) });
  const head = headOf('test', model, variables.params);
  const bias = lt.scope(() => head.bias.sub(lt.tensor([0, 1e4, 0])));
  const edit: Variables = {
    params: withHead(model, variables.params, { weight: head.weight, bias }),
    state: variables.state,
  };
  const [original, retrain, edited] = [variables, fresh, edit].map((of, i) =>
    networkSubject(['original', 'retrain', 'edited'][i], { model, variables: of }),
  );
  const test = stripes(90, 9);
  const { forget: gone, retain: kept } = cut(test, 1);
  const sets = { forget, retain, test, kept, gone };
  const of = (own: typeof original) => input(own, sets, { goneClasses: [1], original, retrain });
  expect(accuracy(await original.answers(gone), 3)).toBeGreaterThan(80);
  expect(accuracy(await edited.answers(gone), 3)).toBe(0);

  const before = lt.memory();
  const probe = audits.probe({ shots: [1, 5], draws: 2, samples: 60 });
  expect(await probe.run(of(edited))).toEqual(await probe.run(of(original)));
  const cka = audits.cka();
  expect(await cka.run(of(edited))).toEqual(await cka.run(of(original)));
  const prototypes = await audits.prototypes({ draws: 2 }).run(of(edited));
  expect(prototypes.values.prototypes).toBeGreaterThan(60);
  // Answers alone are as far from the class as they can be.
  const profiles = await audits.neighbours({ splits: 2 }).run(of(edited));
  expect(profiles.values.neighbours).not.toBeNull();
  await audits.relative({ queries: 24 }).run(of(edited));
  await audits.zrf({ draws: 2 }).run(of(edited));
  // Less where keys of the training are collected meanwhile.
  expect(lt.memory().buffers).toBeLessThanOrEqual(before.buffers);
  for (const tree of [variables, fresh, { bias }]) disposeTree(tree);
});
