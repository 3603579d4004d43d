// The attention maps of a model in the report: Grad-CAM for the class of each sample shown, as the layer has it, unless that is
// larger than a small picture needs.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { attentionMaps, resized } from '../attention.ts';
import type { Subject } from '../audits/subject.ts';
import { joinSplits, takeSplit } from '../data/split.ts';
import { type LayerOf, layersOf } from '../layers.ts';
import type { Exhibits } from '../types.ts';
import type { RunData } from './parts.ts';

/** Sides of a map at most. */
const LARGEST = 14;
type Attention = NonNullable<Exhibits['attention']>;

/** Undefined where no images are shown, and for a model that is not one network with convolutions. */
export async function attentionOf(
  { network }: Subject,
  { forget, retain }: RunData,
  samples: Exhibits['samples'],
  signal?: AbortSignal,
): Promise<Attention | undefined> {
  if (samples.length === 0 || !network || !hasConvolutions(network.variables)) return undefined;
  const pixels = ({ shape }: LayerOf) => (shape.length === 3 ? shape[0] * shape[1] : 0);
  if (!layersOf(network, forget.shape).some((layer) => pixels(layer) > 1)) return undefined;
  const ordered = (['forget', 'retain'] as const).flatMap((set) => samples.filter((one) => one.set === set));
  const rows = (set: 'forget' | 'retain') => {
    const split = { forget, retain }[set];
    const ids = ordered.filter((one) => one.set === set).map(({ id }) => id);
    return takeSplit(
      split,
      ids.map((id) => split.ids.indexOf(id)),
    );
  };
  const split = joinSplits(rows('forget'), rows('retain'));
  const found = await attentionMaps({ ...network, split, size: 'layer', signal });
  const from = [found.height, found.width] as const;
  const to = [Math.min(LARGEST, from[0]), Math.min(LARGEST, from[1])] as const;
  const each = from[0] * from[1];
  const maps = ordered.map(({ id, set }, i) => {
    const values = resized(found.maps.subarray(i * each, (i + 1) * each), from, to);
    const bytes = Array.from(values, (value) => String.fromCharCode(Math.round(255 * value)));
    const peak = found.peaks[i];
    return { id, set, map: btoa(bytes.join('')), peak: Number.isFinite(peak) ? peak : null };
  });
  return { layer: found.layer, height: to[0], width: to[1], maps };
}

/** Kernels of convolutions alone have four axes. */
const hasConvolutions = ({ params }: Variables): boolean =>
  lt.tree.flatten<lt.Tensor>(params).leaves.some(({ ndim }) => ndim === 4);
