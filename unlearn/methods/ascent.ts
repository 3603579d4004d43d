// What methods that climb a loss share: the loss has no upper end, so there may be a cap (ours) above which a sample gives no
// gradient.

import * as v from 'valibot';
import * as lt from '../../index.ts';
import { num } from '../options/fields.ts';

export const lossCap = v.optional(
  num('A sample whose loss has passed this, in nats, is pushed no further. By default there is no cap.', 0),
);

/** Losses of samples, [N], none above the cap. */
export const capped = (losses: lt.Tensor, cap: number | undefined): lt.Tensor =>
  cap === undefined ? losses : lt.minimum(losses, cap);
