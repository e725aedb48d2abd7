/**
 * What a backend's answer means for the place and the key that were used, and whether another should
 * be tried. Small answers and errors are read whole, because their words say it; others pass unread.
 */
import { contentFromBytes, isJson, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { hear } from '../keys/hearing.ts';
import type { KeyVerdict } from '../keys/verdict.ts';
import { retryAfterMs } from '../retry-after.ts';
import type { Held, Report } from './capacity.ts';
import { type PeekedBody, peekBody } from './peeked-body.ts';

export interface HeardAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: PeekedBody;
  readonly report: Report;
  /** Another server or key may do what this one would not. */
  readonly isForAnother: boolean;
}

export async function heardAnswer(response: Response, { key, place }: Held, now: number): Promise<HeardAnswer> {
  const { status, headers } = response;
  const body =
    key !== undefined && isWorthReading(response) ? await peekBody(response, MAX_INLINE_BYTES) : unread(response);
  if (key === undefined) {
    const after = retryAfterMs(headers.get('retry-after'), now);
    const isBusy = status === 429 || (status === 503 && after !== undefined);
    const outcome = isBusy ? 'busy' : status >= 500 ? 'failed' : 'answered';
    const verdict: KeyVerdict = { kind: 'unused' };
    const report = { outcome, verdict, busyUntil: isBusy ? now + (after ?? 0) : undefined } as const;
    return { status, headers, body, report, isForAnother: isBusy && place.server !== undefined };
  }
  const type = headers.get('content-type') ?? 'application/octet-stream';
  const content = 'whole' in body && body.whole.length > 0 ? contentFromBytes(type, body.whole) : undefined;
  const { verdict, facts } = hear({ status, headers, body: content }, now);
  const report = { outcome: status >= 500 ? 'failed' : 'answered', verdict, facts } as const;
  return { status, headers, body, report, isForAnother: verdict.kind === 'limited' || verdict.kind === 'refused' };
}

function isWorthReading({ status, headers }: Response): boolean {
  if (status >= 400) return true;
  const length = Number(headers.get('content-length') ?? Number.NaN);
  return isJson(headers.get('content-type') ?? '') && length <= MAX_INLINE_BYTES;
}

function unread({ body }: Response): PeekedBody {
  return body === null ? { whole: new Uint8Array() } : { stream: body };
}
