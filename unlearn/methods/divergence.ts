// How far a student's answers are from those it is to give: what all methods that distil minimise or maximise.

import * as lt from '../../index.ts';

/**
 * KL(softmax(target / T) || softmax(student / T)) of each sample, in nats, [N], of logits [N, K]. A class may be left out
 * of the target by a large negative logit, such as `EXCLUDED`; its share is then 0. At T = 1 the gradient at the student's
 * logits is the difference of the two softmaxes.
 */
export function divergence(student: lt.Tensor, target: lt.Tensor, temperature = 1): lt.Tensor {
  const [log, wanted] = [student, target].map((logits) => lt.logSoftmax(logits.div(temperature)));
  return wanted.exp().mul(wanted.sub(log)).sum(1);
}

/** Added to a logit, makes its softmax 0, and is finite, so that 0 times its logarithm is 0. */
export const EXCLUDED = -1e10;

/** The Jensen-Shannon divergence of the two softmaxes of each sample, in nats, [N], 0 to ln 2, of logits [N, K]. */
export function jensenShannon(a: lt.Tensor, b: lt.Tensor): lt.Tensor {
  const logs = [a, b].map((logits) => lt.logSoftmax(logits));
  const [p, q] = logs.map((log) => log.exp());
  const middle = p.add(q).div(2).maximum(1e-30).log();
  const halves = [p, q].map((share, i) => share.mul(logs[i].sub(middle)).sum(1));
  return halves[0].add(halves[1]).div(2);
}
