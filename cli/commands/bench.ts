// `lethe bench`: measures the engine on this machine. The cases and the measuring are bench/.

import { type Command, Option } from 'commander';
import { LetheError } from '../../engine/error.ts';
import { collect, define, type World } from '../context.ts';

interface Flags {
  readonly peers?: boolean;
  readonly seconds: number;
  readonly device: 'cpu' | 'webgpu' | 'reference';
  readonly profile?: boolean;
  readonly trace?: string;
  /** True, or the file to write. */
  readonly json?: boolean | string;
}

interface KernelFlags {
  readonly sizes?: string[];
  readonly seconds: number;
}

interface TuneFlags {
  readonly seconds: number;
  readonly recipe?: string;
  readonly data?: string;
  readonly out?: string;
}

export function register(program: Command, world: World): void {
  const bench = define<Flags>(
    program,
    world,
    'bench [filter]',
    {
      summary: 'Measure the engine on this machine: its ceilings first, then operations and training steps.',
      examples: [
        'lethe bench',
        'lethe bench conv --peers',
        'lethe bench --json bench.json',
        'lethe bench "resnet18 step" --device webgpu --profile --trace trace.json',
      ],
    },
    (command) =>
      command
        .option('--peers', 'measure PyTorch beside each case (LETHE_PEER_PYTHON, else python3)')
        .option('--seconds <n>', 'seconds for each side of a case', positive, 1)
        .addOption(
          new Option('--device <name>', 'where').choices(['cpu', 'webgpu', 'reference']).default('cpu'),
        )
        .option('--profile', 'time every kernel, and compare each with the ceilings')
        .option('--trace <file>', 'the profiled kernels as a trace for chrome://tracing; profiles')
        .option('--json [file]', 'the measurements as JSON, into a file or on stdout'),
    async (context, [filter], flags) => {
      const { runBench } = await load();
      const { peers, seconds, device, json, trace } = flags;
      const profile = flags.profile || trace !== undefined;
      // Lines are the data, as they come, unless JSON is.
      const onLine = (line: string) =>
        json === true ? context.say(line) : void context.world.stdout.write(`${line}\n`);
      try {
        const { profiles = [], ...result } = await runBench({
          peers,
          seconds,
          device,
          filter,
          profile,
          onLine,
        });
        // Kernels go to the trace; the summary of each case goes with its measurements.
        const summaries = profiles.map(({ kernels: _, ...summary }) => summary);
        const data = profile ? { ...result, profiles: summaries } : result;
        if (json === true) context.put(data, '');
        const { writeFileAtomic } = await import('../../unlearn/files.ts');
        if (typeof json === 'string') await writeFileAtomic(json, `${JSON.stringify(data, null, 1)}\n`);
        if (trace === undefined) return;
        const { traceOf } = await import('../../bench/profile.ts');
        await writeFileAtomic(trace, `${JSON.stringify(traceOf(profiles, device))}\n`);
        context.say(`trace written to ${trace}: open it in chrome://tracing or ui.perfetto.dev`);
      } finally {
        await (await import('../../index.ts')).close();
      }
    },
  );

  define<TuneFlags>(
    bench,
    world,
    'tune [filter]',
    {
      summary:
        'Measure which tiles are fastest on this WebGPU adapter for the products of the cases, and keep the choice for it.',
      examples: [
        'lethe bench tune',
        'lethe bench tune matmul --seconds 30',
        'lethe bench tune --recipe fashion-mnist-class --data data',
      ],
    },
    (command) =>
      command
        .option('--seconds <n>', 'seconds for each class of products', positive, 10)
        .option('--recipe <recipe>', "tune for a step of this recipe's training instead of the cases")
        .option('--data <dir>', 'folder with its data set (else LETHE_DATA, else the cache)')
        .option(
          '--out <file>',
          'the table to write, or to add to; default: the one of this adapter in the cache',
        ),
    async (context, [filter], flags) => {
      const { runTuning } = await import('../../bench/tune.ts');
      const onLine = (line: string) =>
        context.json ? context.say(line) : void context.world.stdout.write(`${line}\n`);
      const { file, ...found } = await context.compute((signal) =>
        runTuning({ filter, ...flags, signal, onLine }),
      );
      context.say(`written to ${file}`);
      if (context.json) context.put(found, '');
    },
  );

  define<KernelFlags>(
    bench,
    world,
    'kernel <file>',
    {
      summary:
        'Check a WGSL kernel of your own against the reference, and time it beside ours (docs/kernels.md).',
      examples: [
        'lethe bench kernel examples/kernels/matmul.wgsl',
        'lethe bench kernel my.wgsl --sizes batch=1,rows=512,columns=512,depth=64',
      ],
    },
    (command) =>
      command
        .option('--sizes <list>', 'sizes to time, as name=number,...; may be repeated', collect)
        .option('--seconds <n>', 'seconds for each of them', positive, 1),
    async (context, [path], { sizes, seconds }) => {
      const { benchKernel } = await import('../../bench/kernel.ts');
      const { readKernelFile } = await import('../../bench/kernel-file.ts');
      const file = await readKernelFile(path);
      const onLine = (line: string) =>
        context.json ? context.say(line) : void context.world.stdout.write(`${line}\n`);
      const report = await context.compute((signal) => benchKernel(file, { sizes, seconds, signal, onLine }));
      if (context.json) context.put(report, '');
    },
  );
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new LetheError('value', `--seconds: expected a number above 0, got "${text}"`);
}

async function load(): Promise<typeof import('../../bench/index.ts')> {
  try {
    return await import('../../bench/index.ts');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new LetheError(
      'state',
      'the bench needs the development packages; run it in a clone of the repository after npm install',
      { cause },
    );
  }
}
