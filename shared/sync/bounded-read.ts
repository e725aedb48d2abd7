/** Reading a body to its end if that comes soon enough, without losing anything if it does not. */

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
    if (done) return { whole: joined(chunks, length) };
    chunks.push(value);
    length += value.length;
  }
  return { stream: continued(chunks, reader) };
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
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
