// What each number means, in the words the report, the tables and the exports share. docs/metrics.md is the long form.

export interface Definition {
  readonly key: string;
  readonly label: string;
  readonly title: string;
  /** What is good. */
  readonly aim: string;
  readonly text: string;
  readonly source: string;
  /** 'retrain': closer to the retrained model is better. */
  readonly target: 'retrain' | 'lower' | 'higher';
  readonly digits: number;
  /** Distances from retraining up to which a cell counts as close, near and away; beyond, it is far. Default 1, 3, 10. */
  readonly steps?: readonly [number, number, number];
}

export const STEPS = [1, 3, 10] as const;

export const DEFINITIONS: readonly Definition[] = [
  {
    key: 'ua',
    label: 'UA',
    title: 'Unlearning accuracy, %',
    aim: 'Aim: the retrained model’s value.',
    text: '100 minus the accuracy on the forgotten training samples.',
    source: 'SalUn (ICLR 2024)',
    target: 'retrain',
    digits: 2,
  },
  {
    key: 'ra',
    label: 'RA',
    title: 'Remaining accuracy, %',
    aim: 'Aim: the retrained model’s value.',
    text: 'Accuracy on the training samples that stay.',
    source: 'SalUn (ICLR 2024)',
    target: 'retrain',
    digits: 2,
  },
  {
    key: 'ta',
    label: 'TA',
    title: 'Test accuracy, %',
    aim: 'Aim: the retrained model’s value.',
    text: 'Accuracy on test images; when a class is forgotten, without the images of that class (then it is Boundary Unlearning’s D_rt).',
    source: 'SalUn (ICLR 2024)',
    target: 'retrain',
    digits: 2,
  },
  {
    key: 'acc_test_forget',
    label: 'D_ft',
    title: 'Test accuracy on the forgotten class, %',
    aim: 'Aim: the retrained model’s value.',
    text: 'Accuracy on the test images of the forgotten class: images that no model was trained on. TA is the same for the other classes.',
    source: 'Boundary Unlearning (CVPR 2023)',
    target: 'retrain',
    digits: 2,
  },
  {
    key: 'mia',
    label: 'MIA',
    title: 'Membership inference (SalUn’s MIA-efficacy), %',
    aim: 'Aim: the retrained model’s value - not 100.',
    text: 'Share of forgotten samples that an attack on the true-label confidence calls NON-members; the mean over draws of its members. Points the opposite way to ASR.',
    source: 'SalUn (ICLR 2024), released code',
    target: 'retrain',
    digits: 2,
  },
  {
    key: 'asr',
    label: 'ASR',
    title: 'Attack success rate, %',
    aim: 'Lower is more private; the retrained model’s value is what is reachable.',
    text: 'Share of forgotten samples that an attack on the output entropy calls MEMBERS. Our stand-in: the attack of Boundary Unlearning is not in its released code.',
    source: 'ours, after SelectiveForgetting’s entropy attack',
    target: 'retrain',
    digits: 2,
  },
  {
    key: 'entropy_forget',
    label: 'Entropy',
    title: 'Entropy on the forgotten data, nats',
    aim: 'Aim: the retrained model’s value; less certain and more certain are both traces.',
    text: 'Mean entropy of the outputs on the forgotten samples: 0 is certain, the logarithm of the number of classes is guessing.',
    source: 'Boundary Unlearning (CVPR 2023), there as histograms',
    target: 'retrain',
    digits: 2,
    steps: [0.05, 0.15, 0.5],
  },
  {
    key: 'avg_gap',
    label: 'Avg. gap',
    title: 'Average gap to retraining, points',
    aim: 'Lower is better; 0 is retraining itself.',
    text: 'Mean distance from the retrained model of the same split and seed over UA, RA, TA and MIA; over the first three where MIA is not measurable.',
    source: 'SalUn, Table 1',
    target: 'lower',
    digits: 2,
  },
  {
    key: 'tow',
    label: 'ToW',
    title: 'Tug of war, 0 to 1',
    aim: 'Higher is better; 1 is retraining itself.',
    text: '(1 - |ΔFA|)(1 - |ΔRA|)(1 - |ΔTA|): product of what is left of agreement with retraining, accuracies in 0 to 1.',
    source: 'Zhao et al., NeurIPS 2024',
    target: 'higher',
    digits: 3,
  },
  {
    key: 'rte_seconds',
    label: 'Time',
    title: 'Run time',
    aim: 'Lower is better.',
    text: 'Time the method took on this device, without training the original model.',
    source: 'SalUn (RTE)',
    target: 'lower',
    digits: 1,
  },
];

export const definitionOf = (key: string) => DEFINITIONS.find((definition) => definition.key === key)!;

/** Metrics compared with retraining, in column order. */
export const COMPARED = ['ua', 'ra', 'ta', 'acc_test_forget', 'mia', 'asr', 'entropy_forget'] as const;

const NAMES: Record<string, string> = {
  original: 'Original',
  retrain: 'Retrain',
  finetune: 'Fine-tune',
  randomLabels: 'Random labels',
  gradientAscent: 'Gradient ascent',
  negGradPlus: 'NegGrad+',
  boundaryShrink: 'Boundary Shrink',
  boundaryExpanding: 'Boundary Expanding',
  fisher: 'Fisher forgetting',
  amnesiac: 'Amnesiac',
  influence: 'Influence',
  l1Sparse: 'ℓ1-sparse',
  salun: 'SalUn',
  salunSoft: 'SalUn-soft',
  puma: 'PUMA',
  sisa: 'SISA',
  arcane: 'ARCANE',
  scrub: 'SCRUB',
  ssd: 'SSD',
  badTeacher: 'Bad Teacher',
};

/** 'salun (2)' -> 'SalUn (2)'; names not known stay as they are. */
export function displayName(label: string): string {
  const [, name, rest] = /^(.*?)( \(\d+\))?$/s.exec(label) as RegExpExecArray;
  return (Object.hasOwn(NAMES, name) ? NAMES[name] : name) + (rest ?? '');
}

/** Methods whose result is, by construction, that of training without the forgotten data. */
export const EXACT = new Set(['retrain', 'sisa', 'arcane']);
