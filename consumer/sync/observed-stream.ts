/** A body that passes through as it comes, and says when a piece came and how it ended. */

export type BodyEnd = 'complete' | 'broken' | 'abandoned';

interface Observer {
  onPiece?(): void;
  /** Called once. */
  onEnd(end: BodyEnd): void;
}

export function observedStream(body: ReadableStream<Uint8Array>, observer: Observer): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          observer.onEnd('complete');
        } else {
          observer.onPiece?.();
          controller.enqueue(value);
        }
      } catch (error) {
        observer.onEnd('broken');
        controller.error(error);
      }
    },
    async cancel(reason) {
      observer.onEnd('abandoned');
      await reader.cancel(reason);
    },
  });
}
