import { describe, expect, it } from 'vitest';
import { chunkTasks, fitToMessage } from '../../../producer/submission/task-size.ts';
import { type NewTask, newTaskMessage } from '../../../shared/message/task-message.ts';
import { bytesFromContent, MAX_INLINE_BYTES } from '../../../shared/task/content.ts';

function taskWith(text: string): NewTask {
  return {
    id: `tsk_${'0'.repeat(32)}`,
    subject: 'alice',
    service: 'echo',
    policy: { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 },
    deadlineAt: 1,
    request: { body: { type: 'text/plain', encoding: 'text', text } },
  };
}

function bytesOf(task: NewTask): number {
  return new TextEncoder().encode(JSON.stringify(newTaskMessage(task))).byteLength;
}

describe('fitting a task into a message', () => {
  it('leaves a body alone that fits', () => {
    const task = taskWith('x'.repeat(MAX_INLINE_BYTES));
    expect(fitToMessage(task)).toBe(task);
  });

  it('carries a body as base64 whose escapes would not fit, byte for byte', () => {
    const text = '\u0001'.repeat(MAX_INLINE_BYTES);
    const fitted = fitToMessage(taskWith(text));
    expect(bytesOf(fitted)).toBeLessThan(128_000);
    const { body } = fitted.request;
    expect(body?.encoding).toBe('base64');
    expect(new TextDecoder().decode(bytesFromContent(body!))).toBe(text);
  });
});

describe('chunks of a batch', () => {
  it('hold at most 100 messages, in order', () => {
    const tasks = Array.from({ length: 250 }, (_, index) => ({ ...taskWith('x'), subject: `s${index}` }));
    const chunks = chunkTasks(tasks);
    expect(chunks.map((chunk) => chunk.length)).toEqual([100, 100, 50]);
    expect(chunks.flat()).toEqual(tasks);
  });

  it('hold at most 256,000 bytes, metadata included', () => {
    const tasks = Array.from({ length: 40 }, () => taskWith('ä'.repeat(15_000)));
    for (const chunk of chunkTasks(tasks)) {
      expect(chunk.reduce((sum, task) => sum + bytesOf(task) + 100, 0)).toBeLessThanOrEqual(256_000);
    }
  });

  it('are none for no tasks', () => {
    expect(chunkTasks([])).toEqual([]);
  });
});
