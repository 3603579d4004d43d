// `lethe devices`: what this machine can compute on, what is missing, and what to do about it.

import type { Command } from 'commander';
import { define, type World } from '../context.ts';

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
      const { findDevices } = await import('../../index.ts');
      const found = await findDevices();
      const lines = found.flatMap((d) => [
        `${d.name.padEnd(10)} ${d.available ? 'yes' : 'no '}${d.chosen ? '  taken by --device auto' : ''}`,
        ...d.about.split('; ').map((line) => `    ${line}`),
        ...(d.advice ? [`    -> ${d.advice}`] : []),
      ]);
      context.put(found, lines.join('\n'));
    },
  );
}
