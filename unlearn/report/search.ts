// The section on how options were chosen: for each method the settings that were tried, what they cost and what they were
// worth by both rules. The log is run/search.ts's.

import type { Results, SearchedMethod, SearchLog, SearchTrial } from '../types.ts';
import { count, duration, number } from './format.ts';
import { type Html, html } from './html.ts';
import { namesOf } from './names.ts';
import { section } from './sections.ts';

export function searchSection(results: Results): Html {
  const { search } = results;
  if (!search || search.methods.length === 0) return html``;
  const { title } = namesOf(results);
  const { seed, rule, budget, validation, retraining } = search;
  const judged = {
    retrain: 'the smallest average gap to the retrain of that seed',
    alone:
      'forgotten images that look most like images no model has seen, and the least accuracy lost, without any retrain',
  }[rule];
  const limit = budget === 1 ? 'one retraining' : `${Number(budget.toPrecision(3))} retrainings`;
  const lead = html`Before the run, settings of each method were tried on seed ${seed}, whose numbers are reported nowhere else, and judged
on ${count(validation)} held-out images, not on test images. Chosen by the rule “${rule}”: ${judged}. The trials of a method were to cost no more than
${limit} (${count(retraining.samples)} samples through the network in one, ${duration(retraining.seconds)}).`;
  return section(
    'search',
    'How options were chosen',
    lead,
    html`${search.methods.map((one) => method(one, title(one.method), search))}
<p class="note">UA, RA and MIA as above, VA on held-out images in place of TA. “Gap” is the average gap to retrain; “alone” the mean of how well the forgotten images are told from unseen ones and the losses of RA and VA against the original; both in points, less is better. Cost is in retrainings, a forward pass counting a third of a training step.</p>`,
  );
}

function method(one: SearchedMethod, title: string, { rule, retraining }: SearchLog): Html {
  const { trials, varied, chosen, notes, best } = one;
  const said =
    chosen === null
      ? 'no setting led to anything; the stated options were run'
      : `${varied.map((name) => `${name} ${shown(trials[chosen]?.options[name])}`).join(', ')}${chosen === 0 ? ' (as stated)' : ''}`;
  const other = rule === 'retrain' ? 'alone' : 'retrain';
  const differs = best[other] !== best[rule] && best[other] !== null && best[other] !== undefined;
  return html`<details><summary>${title}: ${said}</summary>
<div class="scroll" role="region" aria-label="Settings tried for ${title}" tabindex="0"><table class="trials">
<thead><tr><th scope="col">Trial</th>${varied.map((name) => html`<th scope="col" class="num">${name}</th>`)}${['Cost', 'Time', 'UA', 'RA', 'VA', 'MIA', 'Gap', 'Alone'].map((name) => html`<th scope="col" class="num">${name}</th>`)}</tr></thead>
<tbody>${trials.map((trial, i) => row(trial, i, one, retraining.samples))}</tbody></table></div>
${differs ? html`<p class="note">The rule “${other}” would have taken trial ${Number(best[other]) + 1}.</p>` : ''}
${notes.map((note) => html`<p class="note">Budget: ${note}.</p>`)}</details>`;
}

function row(trial: SearchTrial, i: number, { varied, chosen }: SearchedMethod, retraining: number): Html {
  const { options, samples, seconds, metrics, failed } = trial;
  const tag = i === chosen ? html` <span class="tag ref">chosen</span>` : '';
  const cell = (text: string) => html`<td class="num">${text}</td>`;
  const numbers = metrics
    ? [metrics.ua, metrics.ra, metrics.va, metrics.mia, trial.retrain, trial.alone].map((x) =>
        cell(number(x)),
      )
    : html`<td class="failed" colspan="6">${failed ?? 'not measured'}</td>`;
  return html`<tr class="${i === chosen ? 'chosen' : ''}"><th scope="row">${i + 1}${i === 0 ? ' (stated)' : ''}${tag}</th>${varied.map((name) => cell(shown(options[name])))}${cell(number(samples / retraining))}${cell(duration(seconds))}${numbers}</tr>`;
}

/** An option in a few characters. */
const shown = (value: unknown): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(4))) : (JSON.stringify(value) ?? 'none');
