import { describe, expect, it } from 'vitest';
import { type BodyEnd, observedStream } from '../../../consumer/sync/observed-stream.ts';
import { readBounded } from '../../../shared/sync/bounded-read.ts';

function bodyOf(...chunks: string[]): ReadableStream<Uint8Array> {
  const left = chunks.map((chunk) => new TextEncoder().encode(chunk));
  return new ReadableStream({
    pull(controller) {
      const chunk = left.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}

const textOf = (stream: ReadableStream<Uint8Array>) => new Response(stream).text();

describe('a bounded read', () => {
  it('is read whole when it is short enough, and empty when there is none', async () => {
    const short = await readBounded(new Response(bodyOf('one', 'two')), 6);
    expect('whole' in short && new TextDecoder().decode(short.whole)).toBe('onetwo');
    expect(await readBounded(new Response(null), 6)).toEqual({ whole: new Uint8Array() });
  });

  it('loses nothing when it is longer', async () => {
    const long = await readBounded(new Response(bodyOf('one', 'two', 'three', 'four')), 5);
    expect('stream' in long && (await textOf(long.stream))).toBe('onetwothreefour');
  });
});

describe('an observed stream', () => {
  it('passes through and says once that it is complete', async () => {
    const ends: BodyEnd[] = [];
    expect(await textOf(observedStream(bodyOf('one', 'two'), { onEnd: (end) => ends.push(end) }))).toBe('onetwo');
    expect(ends).toEqual(['complete']);
  });

  it('says that nobody reads on, and lets its source know', async () => {
    const ends: BodyEnd[] = [];
    let cancelled: unknown;
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1)),
      cancel: (reason) => {
        cancelled = reason;
      },
    });
    const reader = observedStream(source, { onEnd: (end) => ends.push(end) }).getReader();
    await reader.read();
    await reader.cancel('enough');
    expect([ends, cancelled]).toEqual([['abandoned'], 'enough']);
  });

  it('says so once, when a piece is being waited for', async () => {
    const ends: BodyEnd[] = [];
    const { promise: isAwaited, resolve } = Promise.withResolvers<void>();
    const pull = () => {
      resolve();
      return new Promise<void>(() => {});
    };
    const source = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    const reader = observedStream(source, { onEnd: (end) => ends.push(end) }).getReader();
    const read = reader.read();
    await isAwaited;
    await reader.cancel('enough');
    expect(await read).toEqual({ done: true, value: undefined });
    expect(ends).toEqual(['abandoned']);
  });

  it('says that it broke', async () => {
    const ends: BodyEnd[] = [];
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('connection lost')),
    });
    await expect(textOf(observedStream(source, { onEnd: (end) => ends.push(end) }))).rejects.toThrow('connection lost');
    expect(ends).toEqual(['broken']);
  });
});
