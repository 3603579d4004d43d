// The peers of the GPU bench by name. PyTorch on CUDA is asked in three precisions, each a side of its own.

import { LetheError } from '../../engine/error.ts';
import { type Peer, startPyTorch, startWebGpuPeer, variant } from '../peer.ts';

export const PEER_NAMES = ['jax', 'tfjs', 'pytorch', 'cuda'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

const PRECISIONS = { f32: 'float32', tf32: 'TF32', bf16: 'bfloat16' };

async function start(name: PeerName): Promise<Peer[]> {
  switch (name) {
    case 'jax':
    case 'tfjs':
      return [await startWebGpuPeer(name)];
    case 'pytorch':
      return [await startPyTorch()];
    case 'cuda': {
      const peer = await startPyTorch();
      if (peer.cuda)
        return Object.entries(PRECISIONS).map(([precision, label]) =>
          variant(peer, `${peer.name} CUDA ${label}`, { device: 'cuda', precision }),
        );
      peer.close();
      throw new LetheError('device', `${peer.name} has no CUDA here`);
    }
  }
}

/** Starts what can be started; `missing` says, a line for each, what cannot. */
export async function startPeers(names: readonly PeerName[]): Promise<{ peers: Peer[]; missing: string[] }> {
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const name of names)
    try {
      peers.push(...(await start(name)));
    } catch (error) {
      missing.push(`peer ${name} left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  return { peers, missing };
}
