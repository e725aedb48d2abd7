/** The local run cannot start; the message is the one line that a person needs. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}

/** What to tell about any error: the sentence of one that is meant for people, or the first line of another. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0]);
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
}
