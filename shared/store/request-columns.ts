/**
 * How a request lies in a row: its body's text as it is, in `request_body`, and everything else as JSON in
 * `request`. Text within JSON text would be escaped once more, which makes a JSON payload a fifth larger.
 */
import type { TaskRequest } from '../task/request.ts';

export interface RequestColumns {
  /** The request; its body without the text. */
  readonly request: Record<string, unknown>;
  /** The body's text. */
  readonly body?: string;
}

export function requestColumns(request: TaskRequest): RequestColumns {
  const { body } = request;
  if (body === undefined) return { request };
  const { type, encoding, text } = body;
  return { request: { ...request, body: { type, encoding } }, body: text };
}

/** In SQL, of a row of `tasks`: the request as JSON text, complete. */
export const REQUEST_TEXT = `CASE WHEN request_body IS NULL THEN request ELSE json_set(request, '$.body.text', request_body) END`;
