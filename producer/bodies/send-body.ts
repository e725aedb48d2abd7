/** Answers with a body as it is: a download, which a browser never takes for a page of this origin. */
import { refuse } from '../answer/answer.ts';

const FILE_HEADERS = {
  'content-security-policy': "default-src 'none'; sandbox",
  'content-disposition': 'attachment',
} as const;

export function bodyNotFound(detail: string): Response {
  return refuse('body-not-found', { detail });
}

export function sendBytes(type: string, bytes: Uint8Array<ArrayBuffer>): Response {
  return new Response(bytes, { headers: { ...FILE_HEADERS, 'content-type': type || 'application/octet-stream' } });
}

/** Streams it; `Range` is honoured, so that a download that broke off goes on where it was. */
export async function sendObject(bucket: R2Bucket, key: string, request: Request, type?: string): Promise<Response> {
  const range = rangeOf(request.headers.get('range'));
  const object = await getObject(bucket, key, range);
  if (object === null) return bodyNotFound('The body is not there: it was not uploaded, or was deleted with its task.');
  const { size, httpEtag, httpMetadata } = object;
  const headers = new Headers({
    ...FILE_HEADERS,
    'content-type': (type ?? httpMetadata?.contentType) || 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: httpEtag,
  });
  const { from, length } = spanOf(object.range, size);
  const isPart = length < size;
  if (isPart) headers.set('content-range', `bytes ${from}-${from + length - 1}/${size}`);
  return new Response(object.body.pipeThrough(new FixedLengthStream(length)), { status: isPart ? 206 : 200, headers });
}

/** One range of bytes (RFC 9110, section 14.1.2); anything else is as if nothing was asked. */
function rangeOf(header: string | null): R2Range | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === '') return last === '' || Number(last) === 0 ? undefined : { suffix: Number(last) };
  if (last === '') return { offset: Number(first) };
  return Number(last) < Number(first) ? undefined : { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

/** A range that cannot be met is left out of account (RFC 9110, section 14.2 allows it). */
async function getObject(bucket: R2Bucket, key: string, range: R2Range | undefined): Promise<R2ObjectBody | null> {
  if (range === undefined) return bucket.get(key);
  try {
    return await bucket.get(key, { range });
  } catch {
    return bucket.get(key);
  }
}

function spanOf(range: R2Range | undefined, size: number): { readonly from: number; readonly length: number } {
  if (range === undefined) return { from: 0, length: size };
  if ('suffix' in range && range.suffix !== undefined) {
    const length = Math.min(size, range.suffix);
    return { from: size - length, length };
  }
  const { offset = 0, length = size } = range as { readonly offset?: number; readonly length?: number };
  return { from: offset, length: Math.min(size - offset, length) };
}
