/** Ctrl-C ends a command between two calls; a second one does not wait. */
export interface Interruption {
  readonly signal: AbortSignal;
  readonly wasInterrupted: () => boolean;
}

export function untilInterrupted(): Interruption {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  return { signal: controller.signal, wasInterrupted: () => controller.signal.aborted };
}
