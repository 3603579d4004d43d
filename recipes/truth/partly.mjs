// A model of known truth: trained from scratch on what is kept and on a share of what was to be forgotten. Share 0 is a
// retrained model of another seed. For judging metrics (docs/which-metric.md), not for forgetting.

import * as lt from 'lethe';
import { define, int, num, section, withDefault } from 'lethe/method';
import { joinSplits, methods, takeSplit, train } from 'lethe/unlearn';

const { inherits, options } = methods.retrain.record;

export default define({
  name: 'partly',
  title: 'Retrain on a part of the forgotten',
  paper: 'ours',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'nothing',
  options: section('Train from scratch on what is kept and on a share of what was to be forgotten.', {
    ...options.entries,
    share: withDefault(num('Share of the forgotten samples, of each class.', 0, 1), 0.1),
    stream: withDefault(int('Another number is another model of the same seed.', 0, 1000), 1),
  }),
  inherits,
  search: {},
  cost: ({ forget, retain }, { epochs, share }) => ({
    train: epochs * (retain + Math.ceil(share * forget)),
    infer: 0,
  }),
  forgetStatistics: () => false,

  async forget({ share, stream, ...training }, input) {
    const { model, forget, retain, key, signal, onProgress, checkpoint } = input;
    const own = lt.scope(() => lt.random.foldIn(key, stream));
    const data = share > 0 ? joinSplits(retain, takeSplit(forget, some(forget, share, stream))) : retain;
    try {
      return await train({ model, data, options: training, key: own, signal, onProgress, checkpoint });
    } finally {
      own.dispose();
    }
  },
});

/** Positions of a share of the samples of each class, told by their ids. */
function some({ ids, labels }, share, stream) {
  const order = [...ids.keys()].sort((a, b) => mixed(ids[a], stream) - mixed(ids[b], stream));
  const left = new Map();
  for (const label of labels) left.set(label, (left.get(label) ?? 0) + share);
  return order.filter((i) => {
    const count = left.get(labels[i]);
    left.set(labels[i], count - 1);
    return count >= 0.5;
  });
}

/** A hash of a sample's id. */
function mixed(id, stream) {
  let x = Math.imul(id ^ (stream * 0x9e3779b1), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
