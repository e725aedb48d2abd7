/** Which bodies a task has, and where they are. Pure. */

import { parsedJson } from '../../shared/json-text.ts';
import type { TaskRow } from '../../shared/store/row.ts';
import { bytesFromContent, type Content } from '../../shared/task/content.ts';
import { type StoredBody, StoredBodySchema } from '../../shared/task/stored-body.ts';
import { requestIn } from '../view/request-view.ts';

export type TaskBody =
  | { readonly kind: 'stored'; readonly stored: StoredBody }
  | { readonly kind: 'inline'; readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> };

/** @returns undefined when there is none */
export function resultBody(row: Pick<TaskRow, 'result' | 'result_type' | 'result_encoding' | 'result_stored'>) {
  const stored = storedResultOf(row);
  if (stored !== undefined) return { kind: 'stored', stored } satisfies TaskBody;
  const { result: text, result_type: type, result_encoding: encoding } = row;
  return text === null || type === null || encoding === null ? undefined : inline({ type, encoding, text });
}

/** @returns undefined when there is none */
export function payloadBody(row: Pick<TaskRow, 'request' | 'request_body'>): TaskBody | undefined {
  const request = requestIn(row);
  if (request?.storedBody !== undefined) return { kind: 'stored', stored: request.storedBody };
  if (request?.body === undefined) return undefined;
  return inline(request.body);
}

export function storedResultOf({ result_stored: text }: Pick<TaskRow, 'result_stored'>): StoredBody | undefined {
  return text === null ? undefined : StoredBodySchema.safeParse(parsedJson(text)).data;
}

function inline(content: Content): TaskBody {
  return { kind: 'inline', type: content.type, bytes: bytesFromContent(content) };
}
