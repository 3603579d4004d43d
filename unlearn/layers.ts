// What the layers inside a network compute on a set, by the taps of its layers: for audits of earlier blocks, such as
// probes and likeness to retrain, and for attention maps.

import { check } from '../engine/error.ts';
import type { Variables } from '../engine/nn/types.ts';
import { floatType } from '../engine/runtime.ts';
import * as lt from '../index.ts';
import type { Features, NetworkOf } from './audits/subject.ts';
import { reduction, type SweepOptions } from './reduce.ts';
import type { Split } from './types.ts';

/** A layer inside a network. */
export interface LayerOf {
  /** As in params: 'features.3', 'layer1.0'. */
  readonly path: string;
  /** Of its output for one sample: [height, width, channels], or [features]. */
  readonly shape: readonly number[];
}

/**
 * The layers inside a network in the order of computation, parts before the whole; none where it is not made by
 * `sequential`. Nothing is computed.
 * @param shape of one sample: [height, width, channels].
 */
export function layersOf({ model, variables }: NetworkOf, shape: readonly number[]): LayerOf[] {
  const layers: LayerOf[] = [];
  const tap = (path: string, output: lt.Tensor) => {
    layers.push({ path, shape: output.shape.slice(1) });
    return undefined;
  };
  lt.evalShape(
    (v: Variables, x: lt.Tensor) => model.apply(v, x, { tap }).output,
    variables,
    new lt.ShapeOf([1, ...shape], floatType()),
  );
  return layers;
}

/** @throws LetheError 'value' where the network has no layer of this path. */
export function layerAt(who: string, layers: readonly LayerOf[], path: string): LayerOf {
  const found = layers.find((layer) => layer.path === path);
  check(
    found,
    'value',
    () =>
      `${who}: the network has no layer '${path}', expected one of ${layers.map((layer) => layer.path).join(', ')}`,
  );
  return found;
}

/**
 * Outputs of named layers on a split, in evaluation mode, in one pass; images are averaged over their pixels, which leaves a
 * number for each channel. `network` stays the caller's.
 * @throws LetheError 'value' for a path that the network does not have; what the signal was aborted with.
 */
export async function layerFeatures(
  network: NetworkOf,
  split: Split,
  paths: readonly string[],
  options?: SweepOptions,
): Promise<Readonly<Record<string, Features>>> {
  const layers = layersOf(network, split.shape);
  for (const path of paths) layerAt('layerFeatures', layers, path);
  const forward = reduction(
    ({ images }, variables: Variables) => {
      const found: Record<string, lt.Tensor> = {};
      const tap = (path: string, output: lt.Tensor) => {
        if (paths.includes(path)) found[path] = averaged(output);
        return undefined;
      };
      network.model.apply(variables, images, { tap });
      return found;
    },
    { name: 'layerFeatures' },
  );
  try {
    const rows = await forward.rows(split, [network.variables], options);
    return Object.fromEntries(
      Object.entries(rows).map(([path, { data, shape }]) => [
        path,
        { values: Float32Array.from(data), width: shape[1], labels: split.labels },
      ]),
    );
  } finally {
    forward.dispose();
  }
}

/** [n, features]: images averaged over their pixels, anything else in one row. */
function averaged(output: lt.Tensor): lt.Tensor {
  if (output.ndim === 4) return output.mean([1, 2]);
  const [n] = output.shape;
  return output.reshape([n, output.size / n]);
}
