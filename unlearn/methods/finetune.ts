// Fine-tuning: go on training on what is kept, and hope that the rest fades (catastrophic forgetting, put to use).
// Settings: SalUn's code (ICLR 2024), where it is called FT. It keeps the model useful and forgets little.

import { methodSchemas } from '../recipe/options.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';

export const finetune = define('finetune', methodSchemas.finetune, async (options, input) => {
  const passes = [{ name: 'retain', split: input.retain }];
  const result = await tune(options, input.key, { name: 'finetune', ...passedOn(input), passes });
  return { ...result, details: { history: result.history } };
});
