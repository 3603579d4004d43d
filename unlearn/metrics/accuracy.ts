// Accuracies, percent: on what was forgotten, on what was kept, on test images. Ties go to the first of equal logits; a row
// without a usable answer is wrong.

import { accuracy } from '../statistics/outputs.ts';
import { metric } from './record.ts';

const shared = {
  unit: '%',
  range: [0, 100],
  target: 'retrain',
  aim: 'Aim: the retrained model’s value.',
  digits: 2,
  column: 'compared',
} as const;

export const ua = metric({
  ...shared,
  key: 'ua',
  label: 'UA',
  title: 'Unlearning accuracy',
  definition: '100 minus the accuracy on the forgotten training samples.',
  formula: '100 − accuracy on D_f',
  source: 'SalUn (ICLR 2024)',
  fools:
    'A network that answers everything wrongly has a UA of 100; and a UA above retrain’s tells an attacker what was removed.',
  needs: ['forget'],
  cost: 'One pass over the logits.',
  trace: {
    far: 5,
    why: 'what a close method may be off by',
    above: { kind: 'overforgotten', text: (by) => `UA ${by} above retraining’s` },
    below: { kind: 'underforgotten', text: (by) => `UA ${by} below retraining’s` },
  },
  gives: {
    ua: { about: '100 − `acc_forget`.' },
    acc_forget: { about: 'Accuracy on D_f, %; Boundary Unlearning’s D_f.' },
  },
  measure({ forget, K }) {
    const acc_forget = accuracy(forget, K);
    return { ua: 100 - acc_forget, acc_forget };
  },
});

export const ra = metric({
  ...shared,
  key: 'ra',
  label: 'RA',
  title: 'Remaining accuracy',
  definition: 'Accuracy on the training samples that stay.',
  formula: 'accuracy on D_r',
  source: 'SalUn (ICLR 2024)',
  fools:
    'It is taken on images that the model was fitted to, without augmentation: learning them by heart keeps it high while test accuracy falls.',
  needs: ['retain'],
  cost: 'One pass over the logits.',
  gives: {
    ra: { about: 'Accuracy on D_r, %.' },
    acc_retain: { about: 'The same number under Boundary Unlearning’s name, D_r.' },
  },
  measure({ retain, K }) {
    const acc_retain = accuracy(retain, K);
    return { ra: acc_retain, acc_retain };
  },
});

export const ta = metric({
  ...shared,
  key: 'ta',
  label: 'TA',
  title: 'Test accuracy',
  definition:
    'Accuracy on test images; when classes are forgotten, without the images of these (then it is Boundary Unlearning’s D_rt).',
  formula: 'accuracy on T; on T_r when classes are forgotten',
  source: 'SalUn (ICLR 2024)',
  fools:
    'It is one number over all classes: the class most like the forgotten one can be ruined while it hardly moves.',
  needs: ['kept'],
  cost: 'One pass over the logits.',
  gives: {
    ta: { about: 'Accuracy on T, or on T_r, %. With T_f in it, forgetting perfectly would cost 1/K.' },
    acc_test_retain: { about: 'The same number under Boundary Unlearning’s name, D_rt.' },
  },
  measure({ kept, K }) {
    const acc_test_retain = accuracy(kept, K);
    return { ta: acc_test_retain, acc_test_retain };
  },
});

export const acc_test_forget = metric({
  ...shared,
  key: 'acc_test_forget',
  label: 'D_ft',
  title: 'Test accuracy on the forgotten classes',
  definition:
    'Accuracy on the test images of the forgotten class or classes: images that no model was trained on. TA is the same for the other classes.',
  formula: 'accuracy on T_f',
  source: 'Boundary Unlearning (CVPR 2023)',
  fools:
    'A last layer that never names these classes gives 0 too, though the layers below still know its images.',
  needs: ['gone'],
  cost: 'One pass over the logits.',
  gives: {
    acc_test_forget: { about: 'Accuracy on T_f, %; `null` when samples are forgotten.', sometimes: 'null' },
  },
  measure: ({ gone, K }) => ({ acc_test_forget: gone && accuracy(gone, K) }),
});
