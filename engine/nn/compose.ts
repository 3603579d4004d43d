// Layers made of layers. A list of children keeps its variables in an array (one entry for each child, {} where it has
// none); named children keep them under their names (children without variables have no entry), so that paths in
// params are the names PyTorch gives the same modules.

import type { DType, Shape } from '../dtype.ts';
import { check, describe, LetheError } from '../error.ts';
import { settle } from '../options.ts';
import { split } from '../random.ts';
import { floatType } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
import { evalShape, ShapeOf } from '../transforms/shape.ts';
import { flatten, type Tree } from '../tree.ts';
import type { Applied, ApplyOptions, Layer, Variables } from './types.ts';

/** Layers in a list or under names; undefined stands for none. */
export type Children = readonly Layer[] | { readonly [name: string]: Layer | undefined };
type Slots = Record<string, Tree<Tensor>>;

/**
 * The shape of a layer's output for inputs of a shape and type (default the device's float type), found without
 * computing anything.
 */
export function outputShape(
  layer: Layer,
  variables: Variables,
  inputShape: Shape,
  dtype: DType = floatType(),
): Shape {
  return (
    evalShape(
      (v: Variables, x: Tensor) => layer.apply(v, x).output,
      variables,
      new ShapeOf(inputShape, dtype),
    ) as ShapeOf
  ).shape;
}

const isEmpty = (tree: Tree<Tensor>): boolean => flatten(tree).leaves.length === 0;

/** An error that says in which layer it arose, as a path in params: 'layer1.0.conv1: conv2d: needs images ...'. */
class LayerError extends LetheError {
  constructor(
    readonly path: string,
    readonly inner: LetheError,
  ) {
    super(inner.kind, `${path}: ${inner.message}`, { cause: inner });
  }
}
function inChild<R>(name: string, f: () => R): R {
  try {
    return f();
  } catch (error) {
    if (error instanceof LayerError) throw new LayerError(`${name}.${error.path}`, error.inner);
    throw error instanceof LetheError ? new LayerError(name, error) : error;
  }
}

const APPLY_DEFAULTS = { train: false, key: undefined, frozenStatistics: false, tap: undefined };

/** A child's output, told to the caller's tap with all that is inside the child, under the child's name. */
function tapped(
  { tap, ...options }: ApplyOptions,
  name: string,
  apply: (options: ApplyOptions) => Applied,
): Applied {
  return inChild(name, () => {
    if (!tap) return apply(options);
    const { output, state } = apply({ ...options, tap: (inner, value) => tap(`${name}.${inner}`, value) });
    return { output: tap(name, output) ?? output, state };
  });
}

/** Puts the children's trees in an array or under their names. */
function gather(list: boolean, names: readonly string[], trees: readonly Tree<Tensor>[]): Tree<Tensor> {
  if (list) return trees.map((t) => t ?? {});
  return Object.fromEntries(names.flatMap((n, i) => (isEmpty(trees[i]) ? [] : [[n, trees[i]]])));
}

/**
 * Children one after another. `sequential([a, b])` has params [of a, of b]; `sequential({ conv1: a, fc: b })` has
 * params { conv1, fc }. A name given `undefined` is left out: `normalise: options && normalise(options)`. `name` is for
 * error messages.
 * @throws 'value' for a child that is no layer.
 */
export function sequential(children: Children, name = 'sequential'): Layer {
  const list = Array.isArray(children);
  const entries = Object.entries(children as Record<string, Layer | undefined>).filter(
    (e): e is [string, Layer] => e[1] !== undefined,
  );
  for (const [child, layer] of entries)
    check(
      typeof layer?.init === 'function' && typeof layer.apply === 'function',
      'value',
      () =>
        `${name}: child ${child} is ${describe(layer)}, expected a layer${typeof layer === 'function' ? '; call the function that makes it' : ''}`,
    );
  const names = entries.map(([n]) => n);
  const layers = entries.map(([, l]) => l);
  const drawing = layers.filter((l) => l.random).length;

  return {
    name,
    random: drawing > 0,
    init: (key, inputShape) => {
      const keys = layers.length > 0 ? split(key, layers.length) : [];
      let shape = inputShape;
      const made = layers.map((layer, i) =>
        inChild(names[i], () => {
          const variables = layer.init(keys[i], shape);
          if (i < layers.length - 1) shape = outputShape(layer, variables, shape);
          return variables;
        }),
      );
      return {
        params: gather(
          list,
          names,
          made.map((v) => v.params),
        ),
        state: gather(
          list,
          names,
          made.map((v) => v.state),
        ),
      };
    },
    apply: ({ params, state }, x, given?: ApplyOptions) => {
      const options = settle(name, given, APPLY_DEFAULTS);
      const { key, train } = options;
      const keys = train && key && drawing > 1 ? split(key, drawing) : key ? [key] : [];
      let output = x;
      let drawn = 0;
      const states = layers.map((layer, i) => {
        const variables = {
          params: (params as Slots | null)?.[names[i]] ?? {},
          state: (state as Slots | null)?.[names[i]] ?? {},
        };
        const own = { ...options, key: layer.random ? keys[drawn++] : undefined };
        const result = tapped(own, names[i], (inner) => layer.apply(variables, output, inner));
        output = result.output;
        return result.state;
      });
      return { output, state: gather(list, names, states) };
    },
  };
}

/** Options of residual. */
export interface ResidualOptions {
  /** What x goes through beside `main`. Default: nothing, x itself is added. */
  shortcut?: Layer;
  /** Where the shortcut's variables are. Default 'downsample'. */
  shortcutName?: string;
  /** Of the sum. Default: none. */
  activation?: (x: Tensor) => Tensor;
}
/**
 * activation(main(x) + shortcut(x)): He et al. 2016. The variables of `main`'s named children and those of the
 * shortcut, under `shortcutName`, lie side by side, as in torchvision's blocks: { conv1, bn1, conv2, bn2, downsample }.
 */
export function residual(
  main: { readonly [name: string]: Layer | undefined },
  options?: ResidualOptions,
): Layer {
  const { shortcut, shortcutName, activation } = settle('residual', options, {
    shortcut: undefined,
    shortcutName: 'downsample',
    activation: (x: Tensor) => x,
  });
  const path = sequential(main);
  const join = (a: Tree<Tensor>, b: Tree<Tensor>): Tree<Tensor> =>
    isEmpty(b) ? a : { ...(a as Slots), [shortcutName]: b };
  return {
    name: 'residual',
    random: path.random || shortcut?.random,
    init: (key, shape) => {
      const [k1, k2] = split(key, 2);
      const a = path.init(k1, shape);
      if (!shortcut) return a;
      const b = inChild(shortcutName, () => shortcut.init(k2, shape));
      return { params: join(a.params, b.params), state: join(a.state, b.state) };
    },
    apply: (variables, x, options = {}) => {
      const keys = options.train && options.key && shortcut?.random ? split(options.key, 2) : null;
      const a = path.apply(variables, x, keys ? { ...options, key: keys[0] } : options);
      if (!shortcut) return { output: activation(a.output.add(x)), state: a.state };
      const own = {
        params: (variables.params as Slots)[shortcutName] ?? {},
        state: (variables.state as Slots | null)?.[shortcutName] ?? {},
      };
      const b = tapped(keys ? { ...options, key: keys[1] } : options, shortcutName, (inner) =>
        shortcut.apply(own, x, inner),
      );
      return { output: activation(a.output.add(b.output)), state: join(a.state, b.state) };
    },
  };
}
