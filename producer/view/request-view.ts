/**
 * The request of a task as the API shows it: what its client sent, without what looks like a secret. Pure. What the
 * service adds (its own headers, a key) is no part of it.
 */
import * as z from 'zod';
import { safeParseAsIs } from '../../shared/rpc/as-is.ts';
import type { TaskRow } from '../../shared/store/row.ts';
import type { Content } from '../../shared/task/content.ts';
import { traceIdOf } from '../../shared/task/id.ts';
import { TaskRequestSchema } from '../../shared/task/request.ts';
import { readTraceParent } from '../../shared/trace/context.ts';
import { JsonText } from '../json/json-text.ts';
import type { RequestView } from '../schema/task.ts';

const HIDDEN = '***';

/** What of a request is shown; the rest is the consumers' matter. */
const ShownRequestSchema = z.looseObject(
  TaskRequestSchema.pick({ method: true, path: true, headers: true, body: true, storedBody: true, traceparent: true })
    .shape,
);
type ShownRequest = z.infer<typeof ShownRequestSchema>;

/** Names of headers whose values are not for everybody who may see a task. */
const SECRET_HEADER = /auth|api-?key|token|secret|cookie|passw|credential|signature|session/i;

/** @param isRedacted the service keeps bodies out of what is shown */
export function requestView(row: TaskRow, statusUrl: string, isRedacted: boolean): RequestView | undefined {
  const request = requestIn(row);
  if (request === undefined) return undefined;
  const { method, path, headers, body, storedBody, traceparent } = request;
  return {
    method,
    path,
    headers: headers === undefined ? undefined : withoutSecrets(headers),
    traceId: readTraceParent(traceparent)?.traceId ?? traceIdOf(row.id),
    ...(body !== undefined && bodyView(body, isRedacted)),
    ...(storedBody !== undefined && {
      contentType: storedBody.type,
      bodyBytes: storedBody.bytes,
      ...(isRedacted ? { bodyRedacted: true } : { bodyUrl: `${statusUrl}/payload` }),
    }),
  };
}

/** What looks like a secret by its name is not shown. */
export function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, SECRET_HEADER.test(name) ? HIDDEN : value]),
  );
}

function bodyView({ type, encoding, text }: Content, isRedacted: boolean) {
  const described = { contentType: type, bodyEncoding: encoding };
  if (isRedacted) return { ...described, bodyRedacted: true };
  // What was kept as JSON is JSON; of a body that was deleted nothing is left.
  return { ...described, body: encoding === 'json' && text !== '' ? new JsonText(text) : text };
}

/** The request in a row, with the text of its body, which has a column of its own. */
export function requestIn({
  request: text,
  request_body: body,
}: Pick<TaskRow, 'request' | 'request_body'>): ShownRequest | undefined {
  if (text === null) return undefined;
  try {
    const request = JSON.parse(text) as { body?: { text?: string } };
    if (request.body !== undefined) request.body.text = body ?? request.body.text ?? '';
    return safeParseAsIs(ShownRequestSchema, request).data;
  } catch {
    return undefined;
  }
}
