// One report.html from one results object: no network, no second file.

import type { Results } from '../types.ts';
import { attentionSection, looksOf } from './attention.ts';
import { classes } from './classes.ts';
import { comparison } from './compare.ts';
import { type Drawings, dataOf, type Pictures } from './data.ts';
import { curves, embeddings, losses } from './drawings.ts';
import { attacker, auditsSection } from './evidence.ts';
import { entropies, predictionsSection, samples } from './exhibits.ts';
import { type Facts, factsOf, type ReportOptions } from './facts.ts';
import { type Html, html } from './html.ts';
import { judgingSection } from './judging.ts';
import { split, withoutScripts } from './pack.ts';
import { planesSection, slicesOf } from './planes.ts';
import { searchSection } from './search.ts';
import * as parts from './sections.ts';
import { seedsSection } from './seeds.ts';
import { framed, shell } from './shell.ts';
import { sweeps } from './sweeps.ts';
import { judge, type Verdict } from './verdict.ts';
import { type View, viewOf } from './view.ts';

/** The whole page as text. Equal results and options give equal bytes. */
export function renderReport(results: Results, options: ReportOptions = {}): string {
  const view = viewOf(results, options.metrics, options.audits);
  const facts = factsOf(results, options);
  const verdict = judge(view, facts);
  const pictures = { looks: options.images === false ? null : looksOf(view), slices: slicesOf(view) };
  const data = dataOf(results, view, verdict, pictures);
  const { body, rest } = split(bodyOf(results, options, view, verdict, facts, data, pictures), view);
  return shell(facts.title, body, data, rest);
}

function bodyOf(
  results: Results,
  options: ReportOptions,
  view: View,
  verdict: Verdict,
  facts: Facts,
  data: Drawings,
  pictures: Pictures,
): Html {
  const images = options.images !== false;
  const blocks: [id: string, title: string, block: Html][] = view.rows.length
    ? [
        ['compare', 'Comparison', comparison(view, verdict)],
        ['audits', 'Audits', auditsSection(view, verdict)],
        ['judging', 'Which number', judgingSection(results, view)],
        ['accuracy', 'Accuracy', parts.accuracies(view)],
        ['classes', 'Classes', classes(view, facts)],
        ['predictions', 'Predictions', predictionsSection(view, facts)],
        ['entropy', 'Certainty', entropies(view)],
        ['curves', 'Curves', curves(data.curves)],
        ['attacker', 'Attacker', attacker(view, images)],
        ['embedding', 'Features', embeddings(view, data.clouds, facts)],
        ['planes', 'Decisions', planesSection(pictures.slices, facts, images)],
        ['samples', 'Samples', images ? samples(view, facts) : html``],
        ['attention', 'Attention', attentionSection(pictures.looks, facts)],
        ['losses', 'Losses', losses(data.losses)],
        ['cost', 'Cost', parts.cost(view)],
        ['sweeps', 'Options', sweeps(data.sweeps)],
        ['seeds', 'Seeds', seedsSection(view)],
      ]
    : [];
  blocks.push(
    ['search', 'Search', searchSection(results)],
    ['limits', 'Limits', parts.limits(view, verdict, facts)],
    ['tables', 'Tables', view.rows.length ? parts.tables(view) : html``],
    ['reproduce', 'Reproduce', parts.reproduce(results, facts)],
    ['machine', 'Machine', parts.machine(results)],
    ['definitions', 'Definitions', parts.definitions(view)],
  );
  const present = blocks.filter(([, , block]) => block.text !== '');
  return framed(
    html`${parts.headline(view, verdict, facts, options.generated)}
${withoutScripts(view)}`,
    present,
  );
}
