// What methods are called in reports, and which of them are exact. What metrics are called is metrics/.

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
