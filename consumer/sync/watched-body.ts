/** A body that passes through as it comes, and says when a piece came and how it ended. */

export type BodyEnd = 'complete' | 'broken' | 'abandoned';

interface Watcher {
  onPiece?(): void;
  /** Called once. */
  onEnd(end: BodyEnd): void;
}

export function watchedBody(body: ReadableStream<Uint8Array>, watcher: Watcher): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          watcher.onEnd('complete');
        } else {
          watcher.onPiece?.();
          controller.enqueue(value);
        }
      } catch (error) {
        watcher.onEnd('broken');
        controller.error(error);
      }
    },
    async cancel(reason) {
      watcher.onEnd('abandoned');
      await reader.cancel(reason);
    },
  });
}
