// What `lethe datasets check` says of a folder of pictures: a table of its classes, then a line for each fact. All of it
// was found out by unlearn/data/readers/inspect.ts.

import { type Inspection, NEAR, odditiesOf } from '../unlearn/data/readers/inspect.ts';
import { counted, printable } from '../unlearn/text.ts';
import { table } from './format.ts';

/** Sizes and unreadable files shown. */
const SHOWN = 6;

export function inspectionText(found: Inspection): string {
  const { classes, sizes, dataset, unreadable } = found;
  const sum = (part: 'train' | 'test') => classes.reduce((n, c) => n + c[part], 0);
  const rows = classes.map((c) => [printable(c.name), `${c.train + c.test}`, `${c.train}`, `${c.test}`]);
  const shown = sizes.slice(0, SHOWN).map((s) => `${s.height} x ${s.width} (${s.count})`);
  const more = sizes.length > SHOWN ? ` and ${sizes.length - SHOWN} more` : '';
  const numbers = (list: readonly number[]) => list.map((x) => x.toFixed(4)).join(', ');
  const size = found.size.join('x');
  const facts: [string, string][] = [
    ['folder', found.root],
    [
      'pictures',
      `${found.pictures} in ${counted(classes.length, 'class', 'classes')}: ${sum('train')} for training, ${sum('test')} set aside for testing`,
    ],
    ['sizes', `${shown.join(', ')}${more}  (height x width)`],
    [
      'size',
      {
        given: `${size}, as asked`,
        'that of all pictures': `${size}, that of all pictures`,
        'a guess': `none given, pictures differ; ${size} would do: --size ${size} here, size: [${found.size.join(', ')}] in a recipe`,
      }[found.sizeIs],
    ],
  ];
  if (dataset !== null)
    facts.push(
      ['channels', dataset.shape[2] === 1 ? '1 (grey)' : '3 (colour)'],
      ['mean', numbers(dataset.mean)],
      ['std', numbers(dataset.std)],
      ['sha256', dataset.hash],
    );
  for (const { file, reason } of unreadable.slice(0, 5 * SHOWN))
    facts.push(['bad', `${printable(file)}: ${reason}`]);
  if (unreadable.length > 5 * SHOWN) facts.push(['bad', `and ${unreadable.length - 5 * SHOWN} more`]);
  for (const line of found.warnings) facts.push(['warning', line]);
  const oddities = odditiesOf(found);
  for (const line of oddities) facts.push(['odd', line]);
  for (const line of found.notes) facts.push(['note', line]);
  if (oddities.length === 0 && unreadable.length === 0)
    facts.push(['good', `no small class, no picture twice, no two that look alike (${NEAR} of 256 bits)`]);
  return [
    table(['class', 'pictures', 'train', 'test'], rows),
    '',
    ...facts.map(([name, text]) => `${name.padEnd(8)} ${text}`),
  ].join('\n');
}
