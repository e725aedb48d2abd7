/** A body that passes through as it comes, and says when it has ended: by itself, broken, or unread. */

export type BodyEnd = 'complete' | 'broken' | 'abandoned';

/** @param onEnd called once */
export function watchedBody(
  body: ReadableStream<Uint8Array>,
  onEnd: (end: BodyEnd) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          onEnd('complete');
        } else {
          controller.enqueue(value);
        }
      } catch (error) {
        onEnd('broken');
        controller.error(error);
      }
    },
    async cancel(reason) {
      onEnd('abandoned');
      await reader.cancel(reason);
    },
  });
}
