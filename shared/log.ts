/**
 * Structured log events: one JSON line each, the event's name first. Callers choose fixed fields and
 * never put headers, bodies, tokens or keys among them.
 */

type Fields = Readonly<Record<string, unknown>>;

export function logInfo(event: string, fields: Fields): void {
  console.log(line(event, fields));
}

export function logWarning(event: string, fields: Fields): void {
  console.warn(line(event, fields));
}

/** @param cause an exception: its name, message and stack are logged, nothing that hangs on it */
export function logError(event: string, fields: Fields, cause?: unknown): void {
  console.error(line(event, cause === undefined ? fields : { ...fields, cause: describe(cause) }));
}

function describe(cause: unknown): Fields {
  const { name, message, stack } = cause instanceof Error ? cause : new Error(String(cause));
  return { name, message, stack };
}

function line(event: string, fields: Fields): string {
  const members = JSON.stringify(fields);
  return `{"event":"${event}"${members === '{}' ? '' : ','}${members.slice(1)}`;
}
