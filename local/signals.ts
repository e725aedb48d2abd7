/**
 * Miniflare ends the whole process at the first Ctrl-C. Who starts a local run decides that here:
 * `npm start` stops its children in order, and a program without handlers of its own dies as usual,
 * with the runtime and its guard.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs `create` and takes away the signal handlers that it added. */
export function withoutSignalHandlers<Created>(create: () => Created): Created {
  const before = SIGNALS.map((signal) => new Set(process.listeners(signal)));
  const created = create();
  SIGNALS.forEach((signal, index) => {
    for (const listener of process.listeners(signal)) {
      if (before[index]?.has(listener) === false) process.removeListener(signal, listener);
    }
  });
  return created;
}
