// The zero retrain forgetting score: are the answers on forgotten samples as random as those of a network that was never trained?

import * as lt from '../../index.ts';
import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { predict } from '../predict.ts';
import { jensenShannonRows } from '../statistics/divergences.ts';
import { meanInterval } from '../statistics/interval.ts';
import { disposeTree } from '../train/feed.ts';
import { defineAudit } from './define.ts';
import { pause } from './rows.ts';
import type { NetworkOf } from './subject.ts';

export const zrf = defineAudit({
  name: 'zrf',
  title: 'Zero retrain forgetting score',
  definition:
    'How alike the answers on forgotten samples are to those of networks of the same architecture with random weights.',
  formula:
    '1 − mean over F of JS(softmax f(x) ‖ softmax f_random(x)), in nats: 1 − ln 2 to 1; mean over random networks',
  source:
    'Chundawat et al., AAAI 2023 (Bad Teacher); evaluation mode, natural logarithms, and several random networks are ours.',
  fools:
    'It rewards answers that say nothing, which a retrained network does not give: the aim is retrain’s value, not 1. Bad Teacher is trained towards it. Random networks of a deep architecture are nearly uniform, and then it only measures entropy.',
  certainty: 'Student’s interval over the random networks.',
  cost: 'One pass over F, and one for each random network.',
  tasks: 'any',
  needs: ['network'],
  uses: [],
  options: section('The networks that it is compared with.', {
    draws: opt(int('Random networks.', 1, 100), 3),
  }),
  gives: {
    zrf: {
      label: 'ZRF',
      about: '1 minus the mean Jensen-Shannon divergence, in nats, from random networks on F.',
      unit: '0 to 1',
      target: 'retrain',
      digits: 3,
    },
  },
  async audit({ draws }, input) {
    const { own, sets, classes: K, seed, signal } = input;
    const { forget } = sets;
    const { model } = own.network as NetworkOf;
    const answers = await own.answers(forget, { signal });
    const scores: number[] = [];
    for (let draw = 0; draw < draws; draw++) {
      await pause(input);
      const random = lt.scope(() => {
        const key = lt.random.foldIn(lt.random.foldIn(lt.random.key(seed), 0x7a7266), draw);
        return model.init(key, [1, ...forget.shape]);
      });
      try {
        const logits = await predict(model, random, forget, { signal });
        const apart = jensenShannonRows(answers, { logits, labels: forget.labels }, K);
        scores.push(1 - apart.reduce((sum, value) => sum + value, 0) / apart.length);
      } finally {
        disposeTree(random);
      }
    }
    const interval = meanInterval(scores);
    return {
      values: { zrf: scores.reduce((sum, value) => sum + value, 0) / draws },
      ...(interval && { intervals: { zrf: interval } }),
    };
  },
});
