// Evaluation on plain arrays: logits and labels in, metrics and exhibits out. Definitions: docs/metrics.md.

export * from './metrics.ts';
export * from './mia.ts';
export * from './outputs.ts';
export * from './summarise.ts';
export { fitSvc, type Svc, type SvcOptions } from './svc.ts';
