// What a run is about to work on, in a line or two, so that a wrong folder or a wrong class is seen before hours are
// spent on it. Nothing is decided here.

import { classCounts } from '../data/split.ts';
import { counted, printable } from '../text.ts';
import type { RunData } from './parts.ts';

export interface DataSummary {
  readonly dataset: string;
  readonly classes: number;
  readonly train: number;
  readonly test: number;
  /** Images held out of training for validation; 0 where a recipe holds none out. */
  readonly validation: number;
  /** Training images whose label is known to be wrong. */
  readonly mislabelled: number;
  /** Fewest and most training samples of a class. */
  readonly perClass: readonly [number, number];
  /** Training samples to forget. */
  readonly forget: number;
  /** The classes to forget, where all of them goes. */
  readonly forgetClasses: readonly string[];
  /** What to look at before training. */
  readonly warnings: readonly string[];
}

export function summarise({ dataset, manifest, forget, validation }: RunData): DataSummary {
  const { name, classes, train, test, warnings = [] } = dataset;
  const counts = classCounts(train, classes.length);
  return {
    dataset: name,
    classes: classes.length,
    train: train.size,
    test: test.size,
    validation: validation?.size ?? 0,
    mislabelled: dataset.mislabelled?.size ?? 0,
    perClass: [Math.min(...counts), Math.max(...counts)],
    forget: forget.size,
    forgetClasses: manifest.classes.map((k) => classes[k]),
    warnings,
  };
}

/** The summary in words, without the warnings. */
export function summaryLines(summary: DataSummary): string[] {
  const { dataset, classes, train, test, validation, mislabelled, perClass, forget, forgetClasses } = summary;
  const [least, most] = perClass;
  const each = least === most ? `${least} of each class` : `${least} to ${most} of each class`;
  const which = forgetClasses.length === 0 ? '' : `, all of ${classesInWords(forgetClasses)}`;
  const held = validation > 0 ? `, ${validation} for validation` : '';
  const wrong = mislabelled > 0 ? `, ${mislabelled} with a wrong label` : '';
  const all = counted(train + validation + test, 'sample');
  return [
    `data: ${dataset}, ${all} in ${counted(classes, 'class', 'classes')}: ${train} for training (${each}${wrong})${held}, ${test} set aside for testing`,
    `to forget: ${counted(forget, 'training sample')}${which}`,
  ];
}

/** `class star`; `classes star, heart and moon`. */
function classesInWords(names: readonly string[]): string {
  const shown = names.map(printable);
  if (shown.length === 1) return `class ${shown[0]}`;
  return `classes ${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
