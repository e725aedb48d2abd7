/** Reading a body to its end if that comes soon enough, without losing anything if it does not. */
import { joinBytes } from '../bytes.ts';

export type BoundedRead = { readonly whole: Uint8Array } | { readonly stream: ReadableStream<Uint8Array> };

/** @returns all of it when it has at most `maxBytes`, else a stream of all of it */
export async function readBounded(
  { body }: { readonly body: ReadableStream<Uint8Array> | null },
  maxBytes: number,
): Promise<BoundedRead> {
  if (body === null) return { whole: new Uint8Array() };
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const { done, value } = await reader.read();
    if (done) return { whole: joinBytes(chunks, length) };
    chunks.push(value);
    length += value.length;
  }
  return { stream: continued(chunks, reader) };
}

/** What was read already, and then what comes. @param chunks emptied as they are read */
export function continued(
  chunks: Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const read = chunks.shift();
      if (read !== undefined) return controller.enqueue(read);
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
