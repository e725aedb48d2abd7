/**
 * What a backend's answer means for the place and the key that were used, and whether another should
 * be tried. Short answers are read whole, which takes less time than to stream them, and so are errors
 * that may be about a key or a busy server, because their words say it; others pass unread.
 */

import { type BoundedRead, readBounded } from '../../shared/sync/bounded-read.ts';
import { hasNoBytes, isUnpackedOnReading } from '../../shared/sync/packing.ts';
import { type Content, contentFromBytes, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { outcomeOfAnswer } from '../call/answer/outcome.ts';
import { serverUseOf } from '../capacity/server-use.ts';
import { isAboutKey } from '../keys/pool/feedback.ts';
import { type KeyObservation, observeKey } from '../keys/provider/key-feedback.ts';
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
  const body = await readAnswer(response, key !== undefined);
  const answer = { status, headers, body: key && contentOf(headers, body) };
  const { feedback, facts } = key === undefined ? NO_KEY : observeKey(answer, now);
  // Not the words of its outcome, which have not been looked through for secrets.
  const { outcome, busyUntil } = serverUseOf(outcomeOfAnswer(answer, now), true, key !== undefined, now);
  const isForAnother = (outcome === 'busy' && place.server !== undefined) || isAboutKey(feedback);
  return { status, headers, body, report: { outcome, feedback, facts, busyUntil }, isForAnother };
}

const NO_KEY: KeyObservation = { feedback: { kind: 'unused' } };

function contentOf(headers: Headers, body: BoundedRead): Content | undefined {
  if (!('whole' in body) || body.whole.length === 0) return undefined;
  return contentFromBytes(headers.get('content-type') ?? 'application/octet-stream', body.whole);
}

async function readAnswer(response: Response, hasKey: boolean): Promise<BoundedRead> {
  const { status, headers } = response;
  if (hasNoBytes(headers)) {
    await response.body?.cancel();
    return { whole: new Uint8Array() };
  }
  const isShort = Number(headers.get('content-length') ?? Number.NaN) <= MAX_INLINE_BYTES;
  // What is as long as it says needs no bound, and a look at `body` makes a stream, which costs more than to read so little.
  if (isShort && !isUnpackedOnReading(headers)) return { whole: new Uint8Array(await response.arrayBuffer()) };
  const isRead = isShort || status === 429 || status === 503 || (hasKey && status >= 400);
  if (isRead) return readBounded(response, MAX_INLINE_BYTES);
  const { body } = response;
  return body === null ? { whole: new Uint8Array() } : { stream: body };
}
