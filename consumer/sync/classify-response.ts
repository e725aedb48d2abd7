/**
 * What a backend's answer means for the place and the key that were used, and whether another should
 * be tried. Short answers are read whole, which takes less time than to stream them, and so are errors
 * that may be about a key, because their words say it; others pass unread.
 */

import { isUnreachableStatus, isUnsentByProxy } from '../../shared/service/unreachable.ts';
import { type BoundedRead, readBounded } from '../../shared/sync/bounded-read.ts';
import { hasNoBytes } from '../../shared/sync/packing.ts';
import { contentFromBytes, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { isAboutKey } from '../keys/pool/feedback.ts';
import { observeKey } from '../keys/provider/key-feedback.ts';
import { statedWaitMs } from '../keys/provider/reset-time.ts';
import type { Acquired, Report } from './acquired.ts';

export interface ClassifiedResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: BoundedRead;
  readonly report: Report;
  /** Another server or key may do what this one would not. */
  readonly isForAnother: boolean;
}

export async function classifyResponse(
  response: Response,
  { key, place }: Acquired,
  now: number,
): Promise<ClassifiedResponse> {
  const { status, headers } = response;
  const busyMs = statedWaitMs({ status, headers, body: undefined }, now);
  // With a key a 429 is about the key; a 503 that says when is about the server all the same.
  const isBusy = (status === 503 && busyMs !== undefined) || (status === 429 && key === undefined);
  const isShort = Number(headers.get('content-length') ?? Number.NaN) <= MAX_INLINE_BYTES;
  const isRead = isShort || isBusy || (key !== undefined && status >= 400);
  const body = hasNoBytes(headers)
    ? await withoutBytes(response)
    : isRead
      ? await readBounded(response, MAX_INLINE_BYTES)
      : unread(response);
  const busyUntil = isBusy && busyMs !== undefined ? now + busyMs : undefined;
  const isUnreachable = isUnreachableStatus(status) || isUnsentByProxy(status, headers.get('proxy-status'));
  const outcome: Report['outcome'] = isUnreachable
    ? 'unreachable'
    : isBusy
      ? 'busy'
      : status >= 500
        ? 'failed'
        : 'answered';
  const isForAnotherServer = isBusy && place.server !== undefined;
  if (key === undefined) {
    const report = { outcome, feedback: { kind: 'unused' }, busyUntil } as const;
    return { status, headers, body, report, isForAnother: isForAnotherServer };
  }
  const type = headers.get('content-type') ?? 'application/octet-stream';
  const content = 'whole' in body && body.whole.length > 0 ? contentFromBytes(type, body.whole) : undefined;
  const { feedback, facts } = observeKey({ status, headers, body: content }, now);
  const isForAnotherKey = isAboutKey(feedback);
  const report = { outcome, feedback, facts, busyUntil };
  return { status, headers, body, report, isForAnother: isForAnotherServer || isForAnotherKey };
}

async function withoutBytes({ body }: Response): Promise<BoundedRead> {
  await body?.cancel();
  return { whole: new Uint8Array() };
}

function unread({ body }: Response): BoundedRead {
  return body === null ? { whole: new Uint8Array() } : { stream: body };
}
