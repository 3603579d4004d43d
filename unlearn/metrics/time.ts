// What a method costs in time.

import { metric } from './record.ts';

export const rte_seconds = metric({
  key: 'rte_seconds',
  label: 'Time',
  title: 'Run time',
  definition: 'Time the method took on this device, without training the original model.',
  formula: 'seconds the method took, without training the original',
  unit: 's',
  range: [0, Number.POSITIVE_INFINITY],
  target: 'lower',
  aim: 'Lower is better.',
  source: 'SalUn (RTE)',
  fools: 'It compares only within one device and one build, and leaves out the search for hyper-parameters.',
  needs: ['seconds'],
  cost: 'None.',
  digits: 1,
  column: 'value',
  gives: { rte_seconds: { about: 'Seconds; SalUn gives minutes.' } },
  measure: ({ seconds }) => ({ rte_seconds: seconds }),
});
