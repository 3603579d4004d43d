// SIGINT and SIGTERM: the first one is a request to stop at a safe point, the second ends the process as usual.

const signals = ['SIGINT', 'SIGTERM'] as const;

/** Calls `listener` at the first signal, then stands down. Returns what stops the listening. */
export function onInterrupt(listener: () => void): () => void {
  const stop = () => {
    for (const signal of signals) process.removeListener(signal, once);
  };
  const once = () => {
    stop();
    listener();
  };
  for (const signal of signals) process.on(signal, once);
  return stop;
}
