// `lethe check-method`: the kit that Lethe's own methods pass, run on a method in a file of the user's own.

import type { Command } from 'commander';
import { LetheError } from '../../engine/error.ts';
import type { MethodFinding } from '../../unlearn/check/index.ts';
import { printable } from '../../unlearn/text.ts';
import { type Context, collect, define, type World } from '../context.ts';
import { deviceOf } from '../recipe.ts';

interface Flags {
  readonly device?: string;
  readonly option?: string[];
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'check-method',
    {
      summary:
        'Check a method of your own: the same bits for a seed, stopping, resuming, cost, leaks, and more.',
      examples: [
        'lethe check-method mine.mjs                      what every method promises, a line for each promise',
        'lethe check-method mine.mjs --option alpha=0.5   with an option of the method',
        'lethe check-method mine.mjs --device reference --json',
      ],
    },
    (command) =>
      command
        .argument('<file>', 'JavaScript, or TypeScript from Node 22.18 on, whose default export is a method')
        .option('--device <name>', 'auto, webgpu, cpu or reference; default: auto')
        .option('--option <key=value>', 'an option of the method; may be repeated', collect),
    async (context, [file], flags) => {
      const device = deviceOf(flags.device) ?? 'auto';
      const options = await optionsOf(flags.option ?? []);
      const lt = await import('../../index.ts');
      const { loadMethodFile } = await import('../../unlearn/method-file.ts');
      const { checkMethod } = await import('../../unlearn/check/index.ts');
      const { make, sha256 } = await loadMethodFile(file);
      const { name, title } = make.record;
      const findings: MethodFinding[] = [];
      const used = await context.compute(async (signal) => {
        const { device: used } = await lt.init({ device });
        if (!context.json) context.put(null, `${title} (${name}) on ${used}`);
        const onCheck = (check: string, done: number, total: number) =>
          context.live &&
          context.world.stderr.redraw(context.paint('dim', `[${done + 1}/${total}] ${check}`));
        try {
          for await (const finding of checkMethod(make, { options, signal, onCheck })) {
            if (context.live) context.world.stderr.redraw('');
            if (!context.json) show(context, finding, findings.at(-1));
            findings.push(finding);
          }
        } catch (cause) {
          throw signal.aborted ? new LetheError('state', 'stopped', { cause }) : cause;
        }
        return used;
      });
      const failed = findings.filter(({ state }) => state === 'failed');
      if (context.json)
        context.put({ file, sha256, method: name, device: used, passed: failed.length === 0, findings }, '');
      if (failed.length === 0) return context.say(`all promises are kept (${findings.length} checks)`);
      const names = [...new Set(failed.map(({ check }) => check))].join(', ');
      throw new LetheError('state', `${failed.length} of ${findings.length} checks failed: ${names}`);
    },
  );
}

const SIGNS = { passed: '✓', failed: '✗', skipped: '-' } as const;

/** One line for a finding, under the options it was made with. */
function show(context: Context, { check, state, reason, options }: MethodFinding, before?: MethodFinding) {
  if (options !== (before?.options ?? '')) context.put(null, `with ${printable(options)}`);
  const style = { passed: 'green', failed: 'red', skipped: 'dim' } as const;
  const sign = context.paint(style[state], SIGNS[state], context.world.stdout);
  context.put(null, `${sign} ${check}${reason ? `: ${reason}` : ''}`);
}

/** From `key=value`, the values as YAML. */
async function optionsOf(given: readonly string[]): Promise<Record<string, unknown>> {
  const { parse } = await import('yaml');
  const entries = given.map((text) => {
    const cut = text.indexOf('=');
    const wrong = (what: string) => new LetheError('value', `--option ${printable(text)}: ${what}`);
    if (cut <= 0) throw wrong('expected key=value, such as epochs=3');
    try {
      return [text.slice(0, cut), parse(text.slice(cut + 1))];
    } catch {
      throw wrong('the value is not valid YAML');
    }
  });
  return Object.fromEntries(entries);
}
