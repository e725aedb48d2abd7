/** A body that passes through as it comes, and says when a piece came and how it ended. */

export type BodyEnd = 'complete' | 'broken' | 'abandoned';

interface Observer {
  onPiece?(): void;
  /** Called once. */
  onEnd(end: BodyEnd): void;
}

export function observedStream(body: ReadableStream<Uint8Array>, observer: Observer): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isOver = false;
  const over = (end: BodyEnd) => {
    if (!isOver) observer.onEnd(end);
    isOver = true;
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          // The read that is under way when nobody reads on any more ends, too.
          if (!isOver) controller.close();
          over('complete');
        } else {
          observer.onPiece?.();
          controller.enqueue(value);
        }
      } catch (error) {
        over('broken');
        controller.error(error);
      }
    },
    async cancel(reason) {
      over('abandoned');
      await reader.cancel(reason);
    },
  });
}
