// What a reader must know beside the verdict: attacks that say nothing here, what batch-norm statistics do alone, and what these
// results do not show.

import { listed, number, signed } from './format.ts';
import { ATTACK, CLOSE } from './rules.ts';
import { oneOriginal } from './seeds.ts';
import { controlOf, type Row, type View } from './view.ts';

/** Attacks that say nothing here. */
export function attacks({ retrain, models }: View): string[] {
  if (!retrain) return [];
  const accuracy = (row: Row) => number(row.summary.metrics.mia_attack_acc?.mean, 1);
  const own = 'of its own training samples';
  if (!retrain.cells.mia.measurable)
    return [
      `MIA is not measurable here: under the retrained model the attack is right on ${accuracy(retrain)} % ${own}, no more than chance would give. It is left out of gaps and verdict.`,
    ];
  const lost = models.filter((row) => row.role === 'method' && !row.cells.mia.measurable);
  if (lost.length)
    return [
      `MIA is not measurable for ${lost.map((row) => `${row.name} (the attack is right on ${accuracy(row)} % ${own})`).join(', ')}: it is left out of ${lost.length > 1 ? 'their gaps' : 'its gap'} and of the verdict.`,
    ];
  const old = retrain.summary.metrics;
  if (old.mia_measurable === undefined && old.mia_attack_acc && old.mia_attack_acc.mean < ATTACK)
    return [
      `The MIA classifier is right on only ${accuracy(retrain)} % ${own} under the retrained model: chance is 50, so MIA says little here.`,
    ];
  return [];
}

/** How much of what a method did to UA its control does at learning rate 0: batch-norm statistics alone. */
export function drift(row: Row, view: View): string[] {
  const control = view.rows.find(
    (other) => other.role === 'control' && controlOf(other) === row.summary.method,
  );
  const before = view.original?.summary.metrics.ua?.mean ?? Number.NaN;
  const moved = (row.summary.metrics.ua?.mean ?? Number.NaN) - before;
  const alone = (control?.summary.metrics.ua?.mean ?? Number.NaN) - before;
  if (!(Math.abs(alone) > CLOSE.each)) return [];
  return [
    `${row.name} moves UA by ${signed(moved, 1)} points; with learning rate 0 it moves it by ${signed(alone, 1)}: batch-norm statistics taken on the forgotten data alone do that, no training.`,
  ];
}

export function cautionsOf(view: View, best: Row | null): string[] {
  const { models, retrain, audits } = view;
  const methods = models.filter((row) => row.role === 'method');
  const cautions: string[] = [];
  if (!retrain && models.length)
    cautions.push('Gaps and a verdict need a retrained model; UA and MIA have no target without one.');
  const alone = oneOriginal(view);
  if (alone) cautions.push(alone);
  if (view.few && models.length)
    cautions.push(
      'Some rows rest on fewer than three seeds: their spread is not known, and small differences between methods may be chance.',
    );
  const deaf = audits.flatMap(({ title, figures, tells }) => {
    const why = figures.length ? tells[figures[0].key].why : 'it gave no number';
    return why ? [{ title, why }] : [];
  });
  for (const why of new Set(deaf.map((one) => one.why))) {
    const titles = deaf.filter((one) => one.why === why).map(({ title }) => title);
    cautions.push(`Not measurable by ${listed(titles)}: ${why}.`);
  }
  const unpaired = view.seeds.filter((seed) => retrain && !view.references.has(seed));
  if (unpaired.length)
    cautions.push(
      `Seeds ${unpaired.join(', ')} have no retrain of their own: their runs carry no gap of their own.`,
    );
  for (const row of methods) if (row !== best) cautions.push(...drift(row, view));
  const silent = methods.filter((row) => !row.cells.asr.measurable).map((row) => row.name);
  if (silent.length) {
    const where = retrain?.cells.asr.measurable ? `for ${listed(silent)}` : 'here';
    cautions.push(
      `ASR is not measurable ${where}: its attack is no better than chance on its own training samples.`,
    );
  }
  if (models.length)
    cautions.push(
      'The attacks here look at whole populations. They overrate privacy: single samples can stay exposed while the averages agree with retraining.',
    );
  if (methods.some((row) => !row.exact))
    cautions.push(
      'An approximate method that measures like retraining has not been shown to equal it: weights alone cannot prove that data were forgotten.',
    );
  return cautions;
}
