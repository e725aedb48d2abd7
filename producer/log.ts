/**
 * One line of JSON per failure on the producer's own side. Only a name and a message of the error are
 * written: no headers, no bodies, no tokens.
 */

export function logFailure(event: string, error: unknown, fields: Readonly<Record<string, unknown>> = {}): void {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const line = { event, worker: 'producer', ...fields, error: { name, message, stack } };
  // biome-ignore lint/suspicious/noConsole: the console is the Worker's log.
  console.error(JSON.stringify(line));
}
