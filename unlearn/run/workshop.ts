// The real parts of a run. (Placeholder.)
import { LetheError } from '../../engine/error.ts';
import type { Parts } from './parts.ts';
export function workshop(): Parts {
  throw new LetheError('state', 'the engine is not part of this version yet');
}
