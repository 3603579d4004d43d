// Attention maps: where in an image a network finds what speaks for a class. Grad-CAM (Selvaraju et al., "Grad-CAM: Visual
// Explanations from Deep Networks via Gradient-based Localization", ICCV 2017): with the output A [height, width, channel] of
// a layer and the logit z of a class,
//   weight_k = mean over pixels of dz / dA_k,   map = relu(sum_k weight_k A_k),
// divided by its largest value and brought to the image's size by bilinear interpolation.

import { check } from '../engine/error.ts';
import type { Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import type { NetworkOf } from './audits/subject.ts';
import { type LayerOf, layerAt, layersOf } from './layers.ts';
import { reduction, type SweepOptions } from './reduce.ts';
import type { Split } from './types.ts';

/** What attentionMaps works on. */
export interface AttentionInput extends NetworkOf, SweepOptions {
  /** The images. */
  readonly split: Split;
  /** Path of the layer, such as 'layer4'. By default the last whose output has more than one pixel. */
  readonly layer?: string;
  /** The class asked for; by default each sample's label. */
  readonly classIndex?: number;
  /** Size of the maps: that of the images, the default, or that of the layer's output, which no interpolation has touched. */
  readonly size?: 'image' | 'layer';
}

/** Maps of the images of a split. */
export interface AttentionMaps {
  /** [size, height, width] row by row, from 0 to 1. All 0 where nothing speaks for the class. */
  readonly maps: Float32Array;
  /** Of a map, in pixels. */
  readonly height: number;
  /** Of a map, in pixels. */
  readonly width: number;
  /** What each map was divided by, [size], in units of the logit: maps of two models look alike however far these are apart. */
  readonly peaks: Float32Array;
  /** Path of the layer. */
  readonly layer: string;
}

/**
 * Grad-CAM of a network in evaluation mode. `variables` stay the caller's.
 * @throws LetheError 'value' for a layer that is not there or whose output is no image, or a class out of range; what the
 * signal was aborted with.
 */
export async function attentionMaps({
  model,
  variables,
  split,
  layer,
  classIndex,
  size = 'image',
  ...sweep
}: AttentionInput): Promise<AttentionMaps> {
  const { path, shape } = spatial(layersOf({ model, variables }, split.shape), layer);
  const compiled = reduction(
    ({ images, labels }, own: Variables) => {
      const [n] = labels.shape;
      /** The gradient by a shift of the layer's output is the one by the output. */
      const score = (shift: lt.Tensor): [lt.Tensor, lt.Tensor] => {
        let seen = shift;
        const tap = (at: string, output: lt.Tensor) => {
          if (at !== path) return undefined;
          seen = output;
          return output.add(shift);
        };
        const { output } = model.apply(own, images, { tap });
        check(
          classIndex === undefined || (classIndex >= 0 && classIndex < output.shape[1]),
          'value',
          () => `attentionMaps: classIndex ${classIndex}, expected 0 to ${output.shape[1] - 1}`,
        );
        const asked = classIndex === undefined ? labels : lt.full([n], classIndex, 'int32');
        return [output.takeAlongAxis(asked.reshape([n, 1]), 1).sum(), seen];
      };
      const [[, seen], gradient] = lt.valueAndGrad(score, { hasAux: true })(
        lt.zeros([n, ...shape], images.dtype),
      );
      return lt.relu(seen.mul(gradient.mean([1, 2], true)).sum([3]));
    },
    { name: 'attentionMaps' },
  );
  const [height, width] = size === 'layer' ? shape : split.shape;
  const maps = new Float32Array(split.size * height * width);
  const peaks = new Float32Array(split.size);
  try {
    if (split.size > 0) {
      const { data } = await compiled.rows(split, [variables], sweep);
      const each = shape[0] * shape[1];
      for (let i = 0; i < split.size; i++) {
        const map = Float64Array.from(data.subarray(i * each, (i + 1) * each));
        peaks[i] = Math.max(...map);
        const scale = peaks[i] > 0 && Number.isFinite(peaks[i]) ? 1 / peaks[i] : 0;
        const scaled = map.map((value) => (scale > 0 ? Math.min(1, value * scale) : 0));
        maps.set(resized(scaled, [shape[0], shape[1]], [height, width]), i * height * width);
      }
    }
    return { maps, height, width, peaks, layer: path };
  } finally {
    compiled.dispose();
  }
}

/** The layer asked for, or the last with more than one pixel. */
function spatial(layers: readonly LayerOf[], path: string | undefined): LayerOf {
  const pixels = ({ shape }: LayerOf): number => (shape.length === 3 ? shape[0] * shape[1] : 0);
  const found =
    path === undefined
      ? layers.findLast((layer) => pixels(layer) > 1)
      : layerAt('attentionMaps', layers, path);
  check(
    found,
    'value',
    () => 'attentionMaps: no layer of the network gives images, expected one with height, width and channels',
  );
  check(
    pixels(found) > 0,
    'value',
    () =>
      `attentionMaps: layer '${found.path}' gives [${found.shape.join(', ')}] for a sample, expected height, width and channels`,
  );
  return found;
}

/**
 * An image at another size, by bilinear interpolation between the centres of its pixels; beyond the outermost centres it
 * goes on as it is there. As PyTorch's interpolate with align_corners=False.
 * @param image [from], row by row.
 */
export function resized(
  image: ArrayLike<number>,
  from: readonly [height: number, width: number],
  to: readonly [height: number, width: number],
): Float64Array {
  /** For each place: the pixel before, the one after, and the share of the second. */
  const places = ([source, target]: readonly [number, number]) =>
    Array.from({ length: target }, (_, i) => {
      const at = Math.min(source - 1, Math.max(0, ((i + 0.5) * source) / target - 0.5));
      const before = Math.floor(at);
      return [before, Math.min(source - 1, before + 1), at - before] as const;
    });
  const rows = places([from[0], to[0]]);
  const columns = places([from[1], to[1]]);
  const at = (y: number, x: number): number => image[y * from[1] + x];
  return Float64Array.from(
    rows.flatMap(([top, bottom, down]) =>
      columns.map(
        ([left, right, across]) =>
          (1 - down) * ((1 - across) * at(top, left) + across * at(top, right)) +
          down * ((1 - across) * at(bottom, left) + across * at(bottom, right)),
      ),
    ),
  );
}
