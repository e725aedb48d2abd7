import { describe, expect, it } from 'vitest';
import { JsonText } from '../../../producer/json/json-text.ts';
import { opensAtOf, stopOf, taskView, unrecordedTask } from '../../../producer/view/task-view.ts';
import type { TaskRow } from '../../../shared/store/row.ts';
import { smallestTaskIdAt } from '../../../shared/task/id.ts';
import { TASK_STATUSES } from '../../../shared/task/status.ts';

const CREATED = Date.UTC(2026, 10, 20, 12);
const ID = smallestTaskIdAt(CREATED);

function at(seconds: number): string {
  return new Date(CREATED + seconds * 1000).toISOString();
}

function rowWith(columns: Partial<TaskRow>): TaskRow {
  return {
    id: ID,
    subject: 'alice',
    service: 'echo',
    status: 'queued',
    run: 0,
    deferrals: 0,
    attempts_offset: 0,
    max_attempts: 8,
    deadline_at: CREATED + 86_400_000,
    next_at: null,
    due_at: null,
    reason: null,
    parked_for: null,
    bodies_deleted_at: null,
    finished_at: null,
    started_at: null,
    failures: 0,
    progress: null,
    labels: null,
    ref: null,
    on_complete: null,
    group_name: null,
    request: null,
    request_body: null,
    error: null,
    history: '[]',
    result_type: null,
    result_encoding: null,
    result: null,
    result_stored: null,
    place: null,
    ...columns,
  };
}

const view = (columns: Partial<TaskRow>) => taskView(rowWith(columns), `/api/task/${ID}`, { at: CREATED });

describe('what a task waits for', () => {
  it.each([
    ['queued', {}, { reason: 'queue' }],
    ['scheduled', { next_at: CREATED + 5000 }, { reason: 'scheduled', until: at(5) }],
    ['running', { lease_until: CREATED + 5000 }, undefined],
    ['waiting', { due_at: CREATED + 5000 }, { reason: 'callback', until: at(5) }],
    ['retrying', { next_at: CREATED + 5000 }, { reason: 'backoff', until: at(5) }],
    ['deferred', { next_at: CREATED + 5000, reason: 'rate-limited' }, { reason: 'rate-limited', until: at(5) }],
    ['succeeded', { finished_at: CREATED }, undefined],
    ['failed', { finished_at: CREATED }, undefined],
    ['cancelled', { finished_at: CREATED }, undefined],
    ['expired', { finished_at: CREATED }, undefined],
  ] as const)('is said when it is %s', (status, columns, waitingFor) => {
    expect(view({ status, ...columns }).waitingFor).toEqual(waitingFor);
  });

  it.each([
    ['scheduled', { next_at: CREATED }, 'scheduled'],
    ['waiting', { due_at: CREATED }, 'callback'],
    ['retrying', { next_at: CREATED }, 'backoff'],
    ['deferred', { next_at: CREATED, reason: 'rate-limited' }, 'rate-limited'],
    ['deferred', { next_at: CREATED, reason: 'no-key', parked_for: 'pool:some' }, 'no-key'],
  ] as const)(
    'is said without the time that has come when it is %s: its wake-up is on its way',
    (status, columns, reason) => {
      for (const seconds of [0, 30]) {
        const position = { ahead: 0, perSecond: null, opensAt: CREATED };
        const shown = taskView(rowWith({ status, ...columns }), '', { at: CREATED + seconds * 1_000, position });
        expect(shown.waitingFor).toMatchObject({ reason });
        expect(shown).not.toHaveProperty('waitingFor.until', expect.anything());
        expect(shown.nextAttemptAt).toBeUndefined();
      }
      const pause = { until: CREATED };
      const shown = taskView(rowWith({ status, ...columns }), '', { at: CREATED + 1, pause });
      expect(shown).not.toHaveProperty('waitingFor.until', expect.anything());
    },
  );

  describe('in line', () => {
    const parked = {
      status: 'deferred',
      reason: 'no-key',
      next_at: CREATED + 60_000,
      parked_for: 'pool:some',
    } as const;
    const position = (perSecond: number | null) => ({ ahead: 9, perSecond });
    const shown = (perSecond: number | null) =>
      taskView(rowWith(parked), '', { at: CREATED, position: position(perSecond) }) as {
        waitingFor?: unknown;
        nextAttemptAt?: string;
      };

    it('is who stands before it, and until when by the pace of its line', () => {
      expect(shown(2).waitingFor).toEqual({ reason: 'no-key', ahead: 9, until: at(5) });
    });

    it('begins when what it waits for opens again, where that was known as it was parked', () => {
      const until = (perSecond: number | null, opensInMs: number) => {
        const times = { run: 1, attempt: 1, startedAt: CREATED, endedAt: CREATED };
        const record = { ...times, outcome: 'deferred', reason: 'no-key', opensAt: CREATED + opensInMs };
        const row = rowWith({ ...parked, history: JSON.stringify([{ ...record, opensAt: CREATED + 9e9 }, record]) });
        const line = { ...position(perSecond), opensAt: opensAtOf(row, [], CREATED) };
        const shownTo = taskView(row, '', { at: CREATED, position: line });
        return (shownTo as { waitingFor?: { until?: string } }).waitingFor?.until;
      };
      // Sooner than its fallback, and later.
      for (const seconds of [20, 3_599]) {
        expect(until(null, seconds * 1_000)).toBe(at(seconds));
        expect(until(2, seconds * 1_000)).toBe(at(seconds + 5));
      }
      expect(until(null, -1_000)).toBeUndefined();
    });

    it('says why it does not move where all say so who move it, whatever it was told as it came', () => {
      const refused = { mover: 'shard0', at: CREATED, perSecond: 0, reason: 'key-refused' } as const;
      const works = { mover: 'shard1', at: CREATED, perSecond: 2 };
      const waitingFor = (rates: (typeof refused | typeof works)[]) => {
        const sight = { at: CREATED, position: position(0), stop: stopOf([{ rates }]) };
        return taskView(rowWith(parked), '', sight).waitingFor;
      };
      expect(waitingFor([refused])).toEqual({ reason: 'key-refused', ahead: 9 });
      expect(waitingFor([refused, works])).toEqual({ reason: 'no-key', ahead: 9 });
      expect(waitingFor([])).toEqual({ reason: 'no-key', ahead: 9 });
    });

    it('goes by what was last said of when it opens, by itself or at the head, as long as nobody moves the line', () => {
      const minute = 60_000;
      const said = (endedAt: number, opensAt?: number, opensOn?: string) => {
        const times = { run: 1, attempt: 1, startedAt: endedAt, endedAt };
        return { ...times, outcome: 'deferred', reason: 'no-key', opensAt, opensOn };
      };
      const own = (...said: unknown[]) => rowWith({ ...parked, history: JSON.stringify(said) });
      const head = (attempt: unknown) => ({ headAttempt: JSON.stringify(attempt) });
      const moved = (mover: string, at: number) => ({ rates: [{ mover, at, perSecond: 1 }] });
      const still = { rates: [], headAttempt: null };
      // Keys that were open as it joined have been closed since: the head knows.
      const joined = own(said(CREATED));
      const later = head(said(CREATED + minute, CREATED + 60 * minute, '0'));
      expect(opensAtOf(joined, [{ ...still, ...later }], CREATED + minute)).toBe(CREATED + 60 * minute);
      // A person has reset the key: the line goes on.
      const closed = own(said(CREATED, CREATED + 60 * minute, '0'));
      const at = CREATED + 1_000;
      expect(opensAtOf(closed, [{ ...still, ...moved('shard0', at - 1) }], at)).toBeUndefined();
      expect(opensAtOf(closed, [{ ...still, ...moved('shard0', CREATED - 1) }], at)).toBe(CREATED + 60 * minute);
      // Another shard has keys that work.
      expect(opensAtOf(closed, [{ ...still, ...moved('shard1', CREATED - 9_000) }], at)).toBeUndefined();
      expect(opensAtOf(closed, [{ ...still, ...moved('shard1', CREATED - minute) }], at)).toBe(CREATED + 60 * minute);
    });

    it('is its service as long as that is paused, until the end of the pause, and no time that slides', () => {
      const during = (columns: Partial<TaskRow>, until?: number) => {
        const line = columns.parked_for ? position(2) : undefined;
        return taskView(rowWith(columns), '', { at: CREATED, position: line, pause: { until } }).waitingFor;
      };
      expect(during(parked)).toEqual({ reason: 'paused', ahead: 9 });
      expect(during({ ...parked, parked_for: 'service:echo', reason: 'paused' })).toEqual({
        reason: 'paused',
        ahead: 9,
      });
      expect(during({ ...parked, parked_for: 'flow:alice/a', reason: 'flow-limited' }, CREATED + 7_000)).toEqual({
        reason: 'paused',
        ahead: 9,
        until: at(7),
      });
      // This one may still be called, and the others end by themselves.
      expect(during({ status: 'queued' })).toEqual({ reason: 'queue' });
      expect(during({ status: 'waiting', due_at: CREATED + 5_000 })).toEqual({ reason: 'callback', until: at(5) });
      expect(during({ status: 'retrying', next_at: CREATED + 5_000 })).toEqual({ reason: 'backoff', until: at(5) });
      expect(during({ status: 'succeeded', finished_at: CREATED })).toBeUndefined();
    });

    it('says no time while the line does not move, or nobody says how fast, and never its fallback', () => {
      for (const perSecond of [0, null]) expect(shown(perSecond).waitingFor).toEqual({ reason: 'no-key', ahead: 9 });
      expect(shown(2).nextAttemptAt).toBeUndefined();
      expect(view(parked).waitingFor).toEqual({ reason: 'no-key' });
    });
  });

  it('is decided for every status there is', () => {
    for (const status of TASK_STATUSES) expect(view({ status }).status).toBe(status);
  });
});

describe('a task in the answer', () => {
  it('counts attempts on after a retry by hand, up to a number that grows with it', () => {
    const task = view({ status: 'running', run: 7, deferrals: 2, attempts_offset: 3, failures: 4 });
    expect(task).toMatchObject({ attempt: 5, attempts: 5, deferrals: 2, failures: 4, maxAttempts: 11 });
  });

  it('shows a JSON result as a value, text as text and bytes as base64', () => {
    const json = view({
      status: 'succeeded',
      result_type: 'application/json',
      result_encoding: 'json',
      result: '{"a":[1]}',
    });
    expect(json).toMatchObject({
      result: new JsonText('{"a":[1]}'),
      resultContentType: 'application/json',
      resultEncoding: 'json',
    });
    const text = view({ status: 'succeeded', result_type: 'text/plain', result_encoding: 'text', result: '{"a"' });
    expect(text.result).toBe('{"a"');
    const bytes = view({ status: 'succeeded', result_type: 'image/png', result_encoding: 'base64', result: 'AAE=' });
    expect(bytes).toMatchObject({ result: 'AAE=', resultEncoding: 'base64' });
  });

  it('tells progress, labels and error', () => {
    const task = view({
      status: 'failed',
      finished_at: CREATED + 9000,
      progress: JSON.stringify({ at: CREATED + 4000, percent: 40, message: 'page 2' }),
      labels: '{"customer":"acme"}',
      error: JSON.stringify({ class: 'http', message: 'no', httpStatus: 500 }),
    });
    expect(task).toMatchObject({ progress: 40, progressMessage: 'page 2' });
    expect(task.timeline).toContainEqual({ at: at(4), event: 'progress', percent: 40, message: 'page 2' });
    expect(task.labels).toEqual({ customer: 'acme' });
    expect(task.error).toEqual({ class: 'http', message: 'no', httpStatus: 500 });
    expect(task.finishedAt).toBe(at(9));
  });

  it('leaves out a column that cannot be read', () => {
    const task = view({ progress: 'not json', labels: '[1]', history: '{' });
    expect(task.progress).toBeUndefined();
    expect(task.labels).toBeUndefined();
    expect(task.timeline).toHaveLength(1);
  });

  it('has no service yet when it was cancelled before its first message', () => {
    expect(view({ status: 'cancelled', service: '', finished_at: CREATED }).service).toBeNull();
  });
});

describe('the timeline', () => {
  it('tells attempts, deferrals, progress and the end, oldest first', () => {
    const history = [
      {
        run: 1,
        attempt: 1,
        outcome: 'failed',
        startedAt: CREATED + 1000,
        endedAt: CREATED + 2000,
        error: { class: 'http', message: 'busy', httpStatus: 500 },
        nextAt: CREATED + 5000,
        delayMs: 3000,
        delayReason: 'backoff',
        server: 'ocr-1',
      },
      {
        run: 2,
        attempt: 2,
        outcome: 'deferred',
        startedAt: CREATED + 5000,
        endedAt: CREATED + 6000,
        reason: 'rate-limited',
      },
    ];
    const { timeline } = view({
      status: 'succeeded',
      run: 3,
      deferrals: 1,
      started_at: CREATED + 1000,
      finished_at: CREATED + 9000,
      progress: JSON.stringify({ at: CREATED + 8000, message: 'half' }),
      history: JSON.stringify(history),
    });
    expect(timeline.map(({ at: when, event }) => [when, event])).toEqual([
      [at(0), 'created'],
      [at(1), 'started'],
      [at(2), 'attempt-failed'],
      [at(6), 'deferred'],
      [at(8), 'progress'],
      [at(9), 'succeeded'],
    ]);
    expect(timeline[2]).toMatchObject({
      attempt: 1,
      server: 'ocr-1',
      delaySeconds: 3,
      delayReason: 'backoff',
      nextAttemptAt: at(5),
      error: { class: 'http', message: 'busy', httpStatus: 500 },
    });
    expect(timeline[3]).toMatchObject({ attempt: 2, reason: 'rate-limited' });
  });

  it('begins with the creation of a task that is not recorded yet', () => {
    expect(unrecordedTask(ID, 'alice', '/x')).toMatchObject({
      id: ID,
      status: 'queued',
      attempt: 0,
      createdAt: at(0),
      waitingFor: { reason: 'queue' },
      timeline: [{ at: at(0), event: 'created' }],
    });
  });
});
