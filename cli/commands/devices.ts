// `lethe devices`: what this machine can compute on, what is missing, and what to do about it.

import type { Command } from 'commander';
import { define, type World } from '../context.ts';
import { table } from '../format.ts';

export function register(program: Command, world: World): void {
  define(
    program,
    world,
    'devices',
    {
      summary: 'What was found to compute on, what is missing, and what to do.',
      examples: ['lethe devices', 'lethe devices --json'],
    },
    (command) => command,
    async (context) => {
      const { findDevices } = await import('../../unlearn/run/devices.ts');
      const found = await findDevices();
      const rows = found.map((d) => [
        d.chosen ? `${d.name} *` : d.name,
        d.available ? 'yes' : 'no',
        d.about,
        d.advice ?? '',
      ]);
      const text = [table(['device', 'found', 'what', 'what to do'], rows), '', '* taken by --device auto'];
      context.put(found, text.join('\n'));
    },
  );
}
