import { describe, expect, it } from 'vitest';
import { readInbox } from '../../../consumer/delivery/inbox.ts';
import {
  cancelMessage,
  type NewTask,
  newTaskMessage,
  outcomeMessage,
  wakeMessage,
} from '../../../shared/message/task-message.ts';
import { notedMessage } from '../message.ts';

const idOf = (digit: number) => `tsk_${String(digit).repeat(32)}`;
const task: NewTask = {
  id: idOf(1),
  subject: 'alice',
  service: 'ocr',
  policy: { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 },
  deadlineAt: 1,
  request: {},
};

describe('readInbox', () => {
  it('takes the messages of one task together, and keeps the one that carries it (rule R10)', () => {
    const whole = newTaskMessage(task);
    const wake = wakeMessage(task.id, 'ocr');
    for (const bodies of [
      [whole, wake],
      [wake, whole],
      [wake, whole, wake],
    ]) {
      const inbox = readInbox(bodies.map((body, index) => notedMessage(body, { id: `m${index}` })));
      expect([...inbox.tasks]).toEqual([[task.id, whole]]);
      expect(inbox.messages.get(task.id)).toHaveLength(bodies.length);
    }
  });

  it('keeps a cancellation apart from its task', () => {
    const inbox = readInbox([notedMessage(newTaskMessage(task)), notedMessage(cancelMessage(task.id, 'ocr'))]);
    expect([...inbox.tasks.keys()]).toEqual([task.id]);
    expect([...inbox.cancels.values()]).toEqual([cancelMessage(task.id, 'ocr')]);
    expect(inbox.messages.size).toBe(2);
  });

  it('keeps an outcome apart from its task, and of several that of the latest run', () => {
    const [older, latest] = [1, 2].map((run) => outcomeMessage(task.id, 'ocr', run, { id: task.id }));
    const bodies = [latest, newTaskMessage(task), older];
    const inbox = readInbox(bodies.map((body, index) => notedMessage(body, { id: `m${index}` })));
    expect([...inbox.tasks.keys()]).toEqual([task.id]);
    expect([...inbox.outcomes.values()]).toEqual([latest]);
    expect(inbox.messages.size).toBe(2);
  });

  it('tells messages of a newer release from what no release wrote', () => {
    const inbox = readInbox([
      notedMessage({ v: 2, kind: 'task' }, { id: 'newer' }),
      notedMessage({ v: 1, kind: 'song' }, { id: 'song' }),
      notedMessage({ v: 1, kind: 'outcome', id: idOf(3) }, { id: 'outcome' }),
      notedMessage('hello', { id: 'text' }),
      notedMessage(null, { id: 'nothing' }),
      notedMessage({ ...wakeMessage(idOf(2), 'ocr'), id: 'tsk_short' }, { id: 'forged' }),
    ]);
    expect(inbox.newer.size).toBe(1);
    expect(inbox.foreign.size).toBe(5);
    expect(inbox.tasks.size + inbox.cancels.size).toBe(0);
    expect(inbox.messages.size).toBe(6);
  });
});
