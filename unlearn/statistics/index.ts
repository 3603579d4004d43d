// Evaluation on plain arrays: the mathematics of logits and labels, pictures of them, and their spread over seeds. What the
// numbers mean is metrics/.

export * from './exhibits.ts';
export * from './mia.ts';
export * from './outputs.ts';
export * from './summarise.ts';
