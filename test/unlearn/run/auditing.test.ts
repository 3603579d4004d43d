// The audits of a cell: what one cannot be made of is told, and what goes wrong in telling is no fault of the audit.

import { expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import { makeAudits, type Opened } from '../../../unlearn/run/auditing.ts';
import type { AuditTask, Subject } from '../../../unlearn/run/parts.ts';
import { speaker } from '../audits/kit.ts';
import { toyParts, toyRecipe } from './toy.ts';

it('errors of telling a finding are not told as findings', async () => {
  const recipe = toyRecipe({ audits: ['klomSeeds', 'cka'] });
  const own = { weights: {} } as Subject;
  const told: (string | undefined)[] = [];
  let released = 0;
  const open = {
    model: async (name: string): Promise<Opened> => ({
      subject: speaker(name, ({ size }) => new Float32Array(2 * size)),
      release: () => void released++,
    }),
    retrained: () => Promise.reject(new Error('there is none')),
    given: {},
  };
  const task = (fails: boolean): AuditTask => ({
    recipe,
    runData,
    seed: 0,
    signal: undefined,
    onProgress: () => {},
    audits: recipe.audits,
    subjects: { own, original: own, retrains: [], repeats: { own: [], retrain: [] } },
    again: false,
    method: null,
    banks: {},
    onFinding: async (_, { failed }) => {
      told.push(failed);
      if (fails) throw new LetheError('value', 'the disk has a value of its own');
    },
  });
  const runData = await toyParts().load(recipe);
  await makeAudits(task(false), open);
  expect(told).toEqual([
    'klomSeeds: needs retrained models of other seeds',
    'cka: needs a single network and a retrained model',
  ]);
  await expect(makeAudits(task(true), open)).rejects.toThrow('the disk has a value of its own');
  expect([told.length, released]).toEqual([3, 2]);
});
