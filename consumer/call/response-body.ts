/** Reads a backend's answer up to the inline limit; what is larger is not read to its end. */
import { type Content, contentFromBytes, MAX_INLINE_BYTES } from '../../shared/task/content.ts';

export type BodyResult = { readonly ok: true; readonly body: Content | undefined } | { readonly ok: false };

export async function readBody(response: Response): Promise<BodyResult> {
  const length = response.headers.get('content-length');
  if (Number(length) > MAX_INLINE_BYTES) {
    await response.body?.cancel();
    return { ok: false };
  }
  const bytes = await readBytes(response, length !== null);
  if (bytes === undefined) return { ok: false };
  if (bytes.length === 0) return { ok: true, body: undefined };
  return {
    ok: true,
    body: contentFromBytes(response.headers.get('content-type') ?? 'application/octet-stream', bytes),
  };
}

async function readBytes(response: Response, isLengthKnown: boolean): Promise<Uint8Array | undefined> {
  // With a known length within the limit there is nothing to guard against.
  if (isLengthKnown || response.body === null) return new Uint8Array(await response.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_INLINE_BYTES) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
