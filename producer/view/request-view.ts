/**
 * The request of a task as the API shows it: what its client sent, without what looks like a secret. Pure. What the
 * service adds (its own headers, a key) is no part of it.
 */
import type { TaskRow } from '../../shared/store/row.ts';
import { isJsonText } from '../../shared/task/content.ts';
import { traceIdOf } from '../../shared/task/id.ts';
import { TaskRequestSchema } from '../../shared/task/request.ts';
import { readTraceParent } from '../../shared/trace/context.ts';
import { JsonText } from '../json/json-text.ts';
import type { RequestView } from '../schema/task.ts';

const HIDDEN = '***';

/** Names of headers whose values are not for everybody who may see a task. */
const SECRET_HEADER = /auth|api-?key|token|secret|cookie|passw|credential|signature|session/i;

/** @param isRedacted the service keeps bodies out of what is shown */
export function requestView(row: TaskRow, statusUrl: string, isRedacted: boolean): RequestView | undefined {
  const request = row.request === null ? undefined : requestIn(row.request);
  if (request === undefined) return undefined;
  const { method, path, headers, body, storedBody, traceparent } = request;
  return {
    method,
    path,
    headers: headers === undefined ? undefined : withoutSecrets(headers),
    ...(body !== undefined && bodyView({ ...body, text: row.request_body ?? body.text }, isRedacted)),
    ...(storedBody !== undefined && {
      contentType: storedBody.type,
      bodyBytes: storedBody.bytes,
      ...(isRedacted ? { bodyRedacted: true } : { bodyUrl: `${statusUrl}/payload` }),
    }),
    traceId: readTraceParent(traceparent)?.traceId ?? traceIdOf(row.id),
  };
}

/** What looks like a secret by its name is not shown. */
export function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, SECRET_HEADER.test(name) ? HIDDEN : value]),
  );
}

type Body = NonNullable<ReturnType<typeof requestIn>>['body'] & object;

function bodyView({ type, encoding, text }: Body & { readonly text: string }, isRedacted: boolean) {
  const described = { contentType: type, bodyEncoding: encoding };
  if (isRedacted) return { ...described, bodyRedacted: true };
  return { ...described, body: encoding === 'json' && isJsonText(text) ? new JsonText(text) : text };
}

/** A row's request has its body's text elsewhere. */
const RowRequestSchema = TaskRequestSchema.extend({
  body: TaskRequestSchema.shape.body
    .unwrap()
    .partial({ text: true })
    .transform(({ text = '', ...rest }) => ({ ...rest, text }))
    .optional(),
});

export function requestIn(text: string) {
  try {
    return RowRequestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
