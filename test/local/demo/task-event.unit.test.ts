import { describe, expect, it } from 'vitest';
import { eventsBetween, type TaskView } from '../../../local/demo/task-event.ts';

const START = '2026-01-01T00:00:00.000Z';
const at = (seconds: number) => new Date(Date.parse(START) + seconds * 1000).toISOString();

function view(fields: Partial<TaskView>): TaskView {
  const created = { at: START, event: 'created' };
  const { timeline = [], ...rest } = fields;
  return {
    id: 'tsk_1',
    status: 'queued',
    attempt: 0,
    maxAttempts: 5,
    createdAt: START,
    ...rest,
    timeline: [created, ...timeline],
  };
}

const failedAttempt = {
  at: at(1),
  event: 'attempt-failed',
  attempt: 1,
  error: { message: 'The backend answered 500' },
  delaySeconds: 2,
};

describe('the lines of the demo', () => {
  it('say nothing of a task that has only been accepted', () => {
    expect(eventsBetween(undefined, view({}))).toEqual([]);
  });

  it('tell a failed attempt with its reason and the delay, once', () => {
    const retrying = view({ status: 'retrying', attempt: 1, timeline: [failedAttempt] });
    expect(eventsBetween(undefined, retrying)).toEqual([
      {
        at: Date.parse(at(1)),
        status: 'retrying',
        attempt: 1,
        maxAttempts: 5,
        why: 'again in 2 s; The backend answered 500',
      },
    ]);
    expect(eventsBetween(retrying, retrying)).toEqual([]);
  });

  it('say of a task in line that it is, and not when its fallback would be', () => {
    const deferred = {
      at: at(1),
      event: 'deferred',
      attempt: 1,
      reason: 'rate-limited',
      delaySeconds: 60,
      delayReason: 'in line',
    };
    const [event] = eventsBetween(undefined, view({ status: 'deferred', attempt: 1, timeline: [deferred] }));
    expect(event?.why).toBe('in line; rate-limited');
  });

  it('tell everything that happened between two polls, in order', () => {
    const end = { at: at(4), event: 'succeeded' };
    const deferred = { at: at(3), event: 'deferred', attempt: 2, reason: 'rate-limited', delaySeconds: 1 };
    const ended = view({
      status: 'succeeded',
      attempt: 2,
      result: { ok: true },
      timeline: [failedAttempt, deferred, end],
    });
    expect(eventsBetween(undefined, ended).map(({ status, why }) => [status, why])).toEqual([
      ['retrying', 'again in 2 s; The backend answered 500'],
      ['deferred', 'again in 1 s; rate-limited'],
      ['succeeded', '{"ok":true}'],
    ]);
  });

  it('tell the last failure by the end of the task, not twice', () => {
    const { delaySeconds: _, ...last } = failedAttempt;
    const failed = view({
      status: 'failed',
      attempt: 1,
      error: { message: 'The backend answered 422' },
      timeline: [last, { at: at(1), event: 'failed' }],
    });
    expect(eventsBetween(undefined, failed).map(({ status, why }) => [status, why])).toEqual([
      ['failed', 'The backend answered 422'],
    ]);
  });

  it('tell when a backend accepted the work, and its progress', () => {
    const started = { at: at(1), event: 'started' };
    const waiting = view({ status: 'waiting', attempt: 1, timeline: [started] });
    expect(eventsBetween(undefined, waiting).map(({ why }) => why)).toEqual(['accepted, will call back']);
    const halfway = view({ ...waiting, timeline: [started, { at: at(2), event: 'progress', percent: 50 }] });
    expect(eventsBetween(waiting, halfway).map(({ status, why }) => [status, why])).toEqual([['waiting', '50% done']]);
  });
});
