// Tiny problems for the tests of training and of the methods: those that methods are checked on, and a little more.

import type { Classifier, Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { CLASSES } from '../../unlearn/check/problem.ts';
import { predict } from '../../unlearn/predict.ts';
import { accuracy } from '../../unlearn/statistics/outputs.ts';
import { disposeTree } from '../../unlearn/train/feed.ts';
import type { Split } from '../../unlearn/types.ts';

export { CLASSES, cut, MemoryStore, stripes, tinyCnn, valuesOf } from '../../unlearn/check/problem.ts';

export const tinyMlp = (): Classifier => lt.nn.mlp({ classes: CLASSES, hidden: [8] });

/** Percentage of a split's samples that a model answers with their label. */
export async function accuracyOn(model: Model, variables: Variables, split: Split): Promise<number> {
  const logits = await predict(model, variables, split);
  return accuracy({ logits, labels: split.labels }, logits.length / split.size);
}

export const disposeAll = (variables: Variables): void => disposeTree(variables);
