// The last dense layer of a classifier: found by the path the model names, replaced without touching the rest.

import { check } from '../../engine/error.ts';
import type { Classifier, Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';

/** The tensors of the last dense layer. */
export interface Head {
  /** [features, classes]. */
  readonly weight: lt.Tensor;
  /** [classes]. */
  readonly bias: lt.Tensor;
}

type Node = { readonly [key: string]: unknown };

function pathOf(name: string, model: Model): readonly string[] {
  const { head } = model as Partial<Classifier>;
  check(
    Array.isArray(head),
    'value',
    () =>
      `${name}: model ${model.name} does not name its last layer; expected \`head\`, its path in params, such as ['fc3']`,
  );
  return head;
}

/** The head's own tensors, borrowed. `name` is who asks, for the message. */
export function headOf(name: string, model: Model, params: Variables['params']): Head {
  const path = pathOf(name, model);
  const head = path.reduce<unknown>((node, key) => (node as Node | undefined)?.[key], params) as
    | Partial<Head>
    | undefined;
  check(
    head?.weight?.ndim === 2 && head.bias?.ndim === 1 && head.weight.shape[1] === head.bias.shape[0],
    'value',
    () => `${name}: ${path.join('.')} of model ${model.name} is no dense layer with weight and bias`,
  );
  return head as Head;
}

/** Sizes of the last layer, from fresh variables that are thrown away. `inputShape` includes the batch. */
export function headSizes(
  name: string,
  model: Model,
  inputShape: readonly number[],
): { readonly features: number; readonly classes: number } {
  const [features, classes] = lt.scope(() => {
    const { params } = model.init(lt.random.key(0), inputShape);
    return headOf(name, model, params).weight.shape.slice();
  });
  return { features, classes };
}

/** The same tree with another head; the other tensors are the same handles. */
export function withHead(model: Model, params: Variables['params'], head: Head): Variables['params'] {
  const put = (node: unknown, path: readonly string[]): unknown => {
    if (path.length === 0) return head;
    const [key, ...rest] = path;
    const next = put((node as Node)[key], rest);
    return Array.isArray(node)
      ? node.map((item, i) => (String(i) === key ? next : item))
      : { ...(node as Node), [key]: next };
  };
  return put(params, pathOf('withHead', model)) as Variables['params'];
}
