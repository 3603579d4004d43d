// `lethe audit`: weights that somebody made, measured and audited as those of a run are. All work is in unlearn/run.ts.

import type { Command } from 'commander';
import { LetheError } from '../../engine/error.ts';
import type { GivenWeights } from '../../unlearn/run.ts';
import { reasonOf } from '../../unlearn/text.ts';
import { collect, define, ofRecipe, type World } from '../context.ts';
import { onRecipe } from '../recipe.ts';
import { type RunFlags, running, showOutcome } from './run.ts';

interface Flags extends Omit<RunFlags, 'skipBad'> {
  readonly original: string;
  readonly unlearned: string[];
  readonly retrained?: string[];
  readonly retrain?: boolean;
  readonly forget?: string;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'audit',
    {
      summary:
        'Measure and audit weights that lie in files, whoever made them: the original, unlearned and retrained ones.',
      examples: [
        'lethe audit my.yaml --original before.safetensors --unlearned after.safetensors --retrained retrain.safetensors',
        'lethe audit my.yaml --original before.safetensors --unlearned a.safetensors --unlearned b.safetensors --retrain',
        'lethe audit my.yaml --original before.safetensors --unlearned after.safetensors --forget removed.txt --dry-run',
      ],
    },
    (command) =>
      running(
        ofRecipe(command)
          .requiredOption('--original <file>', 'weights before unlearning: safetensors, names of PyTorch')
          .requiredOption('--unlearned <file>', 'weights after unlearning, a row; may be repeated', collect)
          .option(
            '--retrained <file>',
            'weights retrained without the forgotten data, the target; those of further retrains are controls of audits',
            collect,
          )
          .option('--retrain', 'train the target as the recipe says')
          .option(
            '--forget <file>',
            "what was forgotten, in place of the recipe's: a file name or id a line, or the forget-manifest.json of a run",
          )
          .option('--out <dir>', 'where results go; default: lethe-out/, the name of the recipe and -audit'),
      ),
    async (context, [path], flags) => {
      const { auditRecipe } = await import('../../unlearn/run/given.ts');
      const { run } = await import('../../unlearn/run.ts');
      const { original, unlearned, retrained, retrain, resume, dryRun, failFast } = flags;
      const found = flags.forget === undefined ? null : await forgetIn(flags.forget);
      const manifest = found?.manifest ?? undefined;
      const given: GivenWeights = { original, unlearned, retrained, retrain, manifest };
      let out = flags.out ?? '';
      const outcome = await onRecipe(
        context,
        path,
        flags,
        (recipe, options) => {
          out ||= `lethe-out/${recipe.name}-audit`;
          return run(recipe, { ...options, out, resume, dryRun, failFast, given });
        },
        (plain) => auditRecipe(plain, found?.forget),
      );
      await showOutcome(context, outcome, out, flags);
    },
  );
}

/** A file that is not there, or cannot be read, is wrong input. */
async function forgetIn(path: string) {
  const { loadForget } = await import('../../unlearn/data/readers/manifest.ts');
  try {
    return await loadForget(path);
  } catch (cause) {
    if (!(cause instanceof LetheError && cause.kind === 'io')) throw cause;
    throw new LetheError('value', `--forget: ${reasonOf(cause)}`, { cause });
  }
}
