// What is measured of a model of the run: its answers, on test images or on those held out, and pictures of the model itself.

import { check } from '../../engine/error.ts';
import type { Subject } from '../audits/subject.ts';
import { datasets, rightLabels } from '../data/index.ts';
import { type Answer, evaluateAnswers } from '../evaluate.ts';
import type { Outputs } from '../statistics/outputs.ts';
import { unseenDistance } from '../statistics/unseen.ts';
import type { Exhibits, Split } from '../types.ts';
import { attentionOf } from './attention.ts';
import { embeddingOf } from './embedding.ts';
import type { Evaluation, Parts, Task } from './parts.ts';
import { planeOf } from './plane.ts';

type EvaluationTask = Parameters<Parts['evaluate']>[0];

/** All that a task asks of a model. Pictures are left out where trials of a search are judged. */
export async function evaluationOf(task: EvaluationTask, subject: Subject): Promise<Evaluation> {
  const found = await look(task, async (samples, sweep) => (await subject.answers(samples, sweep)).logits);
  if (!found.exhibits || task.judge === 'validation') return found;
  return { ...found, exhibits: await withPictures(found.exhibits, subject, task) };
}

/** What the answers are worth, on test images or on those that were held out. */
async function look(task: EvaluationTask, answer: Answer): Promise<Evaluation> {
  const { recipe, judge = 'test', signal, onProgress } = task;
  const { dataset, manifest, forget, retain, validation } = task.runData;
  const { images = !datasets.byName(recipe.dataset.name).people, controls: _, ...how } = recipe.evaluate;
  const data = {
    forget,
    retain,
    classes: dataset.classes.length,
    classIndex: manifest.classes,
    ...(dataset.mislabelled && { rightLabels: rightLabels(dataset, forget) }),
  };
  const options = { ...how, images, signal, onProgress };
  if (judge === 'test') return evaluateAnswers(answer, { ...data, test: dataset.test }, options);
  check(validation, 'value', () => `validation: no images were held out to judge by`);
  const said = new Map<Split, Outputs>();
  const noted: Answer = async (split, sweep) => {
    const logits = await answer(split, sweep);
    said.set(split, { logits, labels: split.labels });
    return logits;
  };
  const found = await evaluateAnswers(noted, { ...data, test: validation }, options);
  const unseen = unseenDistance({
    forget: said.get(forget) as Outputs,
    kept: retain.labels,
    unseen: said.get(validation) as Outputs,
    K: dataset.classes.length,
  });
  return { ...found, unseen };
}

/** The exhibits with what is drawn of the model itself: its features, where it looks, and a slice of its decisions. */
async function withPictures(exhibits: Exhibits, subject: Subject, task: Task): Promise<Exhibits> {
  const { runData, signal } = task;
  const { samples } = exhibits;
  const embedding = await embeddingOf(subject, runData, signal);
  const attention = await attentionOf(subject, runData, samples, signal);
  const plane = await planeOf(subject, runData, samples.length > 0, signal);
  return {
    ...exhibits,
    ...(embedding && { embedding }),
    ...(attention && { attention }),
    ...(plane && { plane }),
  };
}
