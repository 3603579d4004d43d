// Names that a recipe and the command line both know. Nothing is imported, so either may read it at no cost.

/** Where to compute; `auto` takes the best that is there. */
export const devices = ['auto', 'webgpu', 'cpu', 'reference'] as const;
