// The results of the GPU bench as Markdown tables: a row for each case, a column for each side.

import type { CaseResult, GpuBenchResult, SideResult } from './index.ts';

const TITLES: Record<string, string> = {
  matmul: 'Products',
  convolution: 'Convolutions',
  memory: 'Memory',
  training: 'Training steps',
  derivatives: 'Derivatives',
};
const short = (x: number): string => String(Number(x.toPrecision(3)));

/** What a time means: GB/s where memory limits, ms of a step, else TFLOP/s. */
function rate(r: CaseResult, ms: number): string {
  if (r.bytes !== null) return `${short(r.bytes / ms / 1e6)} GB/s`;
  return r.gflop / ms >= 1 ? `${short(r.gflop / ms)} TFLOP/s` : `${short((1000 * r.gflop) / ms)} GFLOP/s`;
}

function share(r: CaseResult, s: SideResult, { ceilings }: GpuBenchResult): string {
  const ceiling = ceilings[s.side];
  if (!ceiling || s.ms === null) return '';
  const part =
    r.bytes === null ? (1000 * r.gflop) / s.ms / ceiling.gflops : r.bytes / s.ms / 1e6 / ceiling.triadGBs;
  return ` (${Math.round(100 * part)} %)`;
}

function cell(r: CaseResult, s: SideResult | undefined, result: GpuBenchResult): string {
  if (!s) return '-';
  if (s.ms === null) return `failed: ${s.failure}`.replaceAll('|', '/');
  const wrong = s.right === false ? ', **wrong**' : '';
  return `${short(s.ms)} ms, ${rate(r, s.ms)}${share(r, s, result)}${wrong}`;
}

/** The best peer's time over ours: above 1, Lethe is faster. */
export function advantage(r: CaseResult): number | null {
  const [own] = r.sides;
  const others = r.sides.filter((s) => !s.side.startsWith('Lethe') && s.ms !== null && s.right !== false);
  if (own.ms === null || own.right === false || others.length === 0) return null;
  return Math.min(...others.map((s) => s.ms as number)) / own.ms;
}

export function tablesOf(result: GpuBenchResult): string {
  const { machine, adapter, ceilings, sides, results, date } = result;
  const lines = [
    `${machine.card ?? adapter.description ?? adapter.device} on ${machine.processor}, ${machine.cores} cores, ${date.slice(0, 10)}.`,
    ...Object.entries(ceilings).map(
      ([side, c]) =>
        `Ceilings of ${side}: ${c.gflops} GFLOP/s multiply-add in float32, ${c.triadGBs} GB/s triad.`,
    ),
  ];
  const hasPeers = sides.some((s) => !s.startsWith('Lethe'));
  for (const suite of new Set(results.map((r) => r.suite))) {
    const columns = [TITLES[suite] ?? suite, ...sides, ...(hasPeers ? ['to the better peer'] : [])];
    lines.push('', `| ${columns.join(' | ')} |`, `| ${columns.map(() => '---').join(' | ')} |`);
    for (const r of results.filter((x) => x.suite === suite)) {
      const ratio = advantage(r);
      const cells = sides.map((side) =>
        cell(
          r,
          r.sides.find((s) => s.side === side),
          result,
        ),
      );
      if (hasPeers) cells.push(ratio === null ? '-' : `${short(ratio)}x`);
      lines.push(`| ${r.name} | ${cells.join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
