import { describe, expect, it } from 'vitest';
import type { Counters, StateFields, TaskState } from '../../../shared/task/state.ts';
import {
  heldFields,
  holdsField,
  isTerminal,
  OPEN_STATUSES,
  RETRYABLE_STATUSES,
  TASK_STATUSES,
  type TaskStatus,
} from '../../../shared/task/status.ts';
import { EVENT_TYPES, MAX_FREE_DEFERRALS, type TaskEvent, transition } from '../../../shared/task/transition.ts';

const NOW = Date.UTC(2026, 10, 20);
const HOUR_MS = 3600_000;

const COUNTERS: Counters = {
  run: 2,
  deferrals: 0,
  attemptsOffset: 0,
  policy: { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 },
  deadlineAt: NOW + HOUR_MS,
};

/** A task in each state; its next time, the end of its lease or of its callback is `at`. */
function stateAt(status: TaskStatus, at: number, counters: Partial<Counters> = {}): TaskState {
  const fields: StateFields = {
    nextAt: at,
    leaseUntil: at,
    callbackUntil: at,
    callbackTimeoutMs: 60_000,
    reason: 'rate-limited',
    parkedFor: undefined,
    finishedAt: at,
  };
  const held = Object.fromEntries(heldFields(status).map((field) => [field, fields[field]]));
  return { ...COUNTERS, ...counters, status, ...held } as TaskState;
}

type EventType = TaskEvent['type'];
function eventOf(type: EventType, run = 2, delayMs = 5_000): TaskEvent {
  switch (type) {
    case 'claim':
      return { type, at: NOW, leaseMs: 61_000 };
    case 'succeed':
    case 'fall-back':
    case 'progress':
      return { type, at: NOW, run };
    case 'accept':
      return { type, at: NOW, run, callbackTimeoutMs: delayMs };
    case 'defer':
      return { type, at: NOW, run, reason: 'rate-limited', delayMs };
    case 'fail':
      return { type, at: NOW, run, retryable: true, delayMs };
    case 'overdue':
      return { type, at: NOW, delayMs };
    case 'expire':
    case 'cancel':
      return { type, at: NOW };
    case 'retry':
      return { type, at: NOW, deadlineAt: NOW + 2 * HOUR_MS };
  }
}

function outcomeOf(state: TaskState, event: TaskEvent): string {
  const decision = transition(state, event);
  return decision.ok ? decision.next.status : `no: ${decision.code}`;
}

const idle = {
  claim: 'running',
  succeed: 'succeeded',
  accept: 'no: stale',
  defer: 'no: stale',
  fail: 'no: stale',
  'fall-back': 'no: stale',
  progress: 'no: stale',
  overdue: 'no: not-applicable',
  expire: 'no: early',
  cancel: 'cancelled',
  retry: 'no: not-applicable',
};
const ended = Object.fromEntries(EVENT_TYPES.map((type) => [type, 'no: terminal'])) as Record<EventType, string>;

/** Attempts are left, the deadline is far, and the state's own time has just come. */
const TABLE: Record<TaskStatus, Record<EventType, string>> = {
  scheduled: idle,
  queued: idle,
  running: { ...idle, accept: 'waiting', defer: 'deferred', fail: 'retrying', 'fall-back': 'queued' },
  waiting: {
    ...idle,
    claim: 'no: awaiting-callback',
    fail: 'retrying',
    'fall-back': 'queued',
    progress: 'waiting',
    overdue: 'retrying',
  },
  retrying: idle,
  deferred: idle,
  succeeded: { ...ended, retry: 'no: not-applicable' },
  failed: { ...ended, retry: 'queued' },
  cancelled: { ...ended, retry: 'no: not-applicable' },
  expired: { ...ended, retry: 'queued' },
};

describe('the transition table, state by event', () => {
  for (const status of TASK_STATUSES) {
    for (const type of EVENT_TYPES) {
      it(`${status} × ${type}: ${TABLE[status][type]}`, () => {
        expect(outcomeOf(stateAt(status, NOW), eventOf(type))).toBe(TABLE[status][type]);
      });
    }
  }
});

describe('whatever happens', () => {
  const cases = TASK_STATUSES.flatMap((status) =>
    [-HOUR_MS, -1, 0, 1, 30_000, 2 * HOUR_MS].flatMap((offset) =>
      [-1, 0, 1, HOUR_MS].flatMap((deadlineOffset) =>
        [0, 1, 2, 3].flatMap((run) =>
          EVENT_TYPES.flatMap((type) =>
            [1, 2, 3, 4].map((eventRun) => ({
              state: stateAt(status, NOW + offset, { run, deadlineAt: NOW + deadlineOffset }),
              event: eventOf(type, eventRun, 2 * HOUR_MS),
            })),
          ),
        ),
      ),
    ),
  );
  const moves = cases.flatMap(({ state, event }) => {
    const decision = transition(state, event);
    return decision.ok ? [{ state, event, next: decision.next }] : [];
  });

  it('an end is left by a manual retry of `failed` or `expired` only', () => {
    const left = moves.filter(({ state }) => isTerminal(state.status));
    expect(left.length).toBeGreaterThan(0);
    expect(left.every(({ event }) => event.type === 'retry')).toBe(true);
    expect(new Set(left.map(({ state }) => state.status))).toEqual(new Set(RETRYABLE_STATUSES));
  });

  it('the run number grows by one at a claim that runs and stays otherwise', () => {
    for (const { state, event, next } of moves) {
      const runs = event.type === 'claim' && next.status === 'running';
      expect(next.run, JSON.stringify({ state, event })).toBe(runs ? state.run + 1 : state.run);
    }
  });

  it('no time that is set lies beyond the deadline', () => {
    for (const { state, event, next } of moves) {
      const where = JSON.stringify({ state, event });
      if ('nextAt' in next) expect(next.nextAt, where).toBeLessThanOrEqual(next.deadlineAt);
      if ('callbackUntil' in next) expect(next.callbackUntil, where).toBeLessThanOrEqual(next.deadlineAt);
    }
  });

  it('nothing starts at or after its deadline', () => {
    const started = moves.filter(({ event, next }) => event.type === 'claim' && next.status === 'running');
    expect(started.length).toBeGreaterThan(0);
    for (const { next } of started) expect(next.deadlineAt).toBeGreaterThan(NOW);
  });

  it('only a success moves a task for an older run, and nothing for a run that has not begun', () => {
    for (const { state, event, next } of moves) {
      if (!('run' in event)) continue;
      expect(event.run).toBeLessThanOrEqual(state.run);
      if (event.run < state.run) expect(next.status).toBe('succeeded');
    }
  });

  it('a state carries its own fields and no others', () => {
    const common = ['status', ...Object.keys(COUNTERS)];
    for (const { next } of moves) {
      expect(Object.keys(next).sort(), next.status).toEqual([...common, ...heldFields(next.status)].sort());
    }
  });
});

describe('claim', () => {
  const claim = eventOf('claim');

  it('starts the next run under a lease', () => {
    expect(transition(stateAt('queued', NOW), claim)).toEqual({
      ok: true,
      next: { ...COUNTERS, run: 3, status: 'running', leaseUntil: NOW + 61_000 },
    });
  });

  it('waits for the next time, and for the end of a live lease', () => {
    for (const status of TASK_STATUSES.filter((each) => holdsField(each, 'nextAt'))) {
      expect(outcomeOf(stateAt(status, NOW + 1), claim)).toBe('no: early');
    }
    expect(outcomeOf(stateAt('running', NOW + 1), claim)).toBe('no: leased');
  });

  it('looks at the lease before the deadline', () => {
    expect(outcomeOf(stateAt('running', NOW + 1, { deadlineAt: NOW }), claim)).toBe('no: leased');
    expect(outcomeOf(stateAt('running', NOW, { deadlineAt: NOW }), claim)).toBe('expired');
  });

  it('past the deadline nothing is early: the task ends now', () => {
    expect(outcomeOf(stateAt('retrying', NOW + 1, { deadlineAt: NOW }), claim)).toBe('expired');
  });

  it('ends a task whose attempts are used up', () => {
    expect(outcomeOf(stateAt('running', NOW, { run: 3 }), claim)).toBe('failed');
    expect(outcomeOf(stateAt('running', NOW, { run: 5, deferrals: 2 }), claim)).toBe('failed');
    expect(outcomeOf(stateAt('running', NOW, { run: 5, deferrals: 3 }), claim)).toBe('running');
    expect(outcomeOf(stateAt('queued', NOW, { run: 5, deferrals: 2, attemptsOffset: 3 }), claim)).toBe('running');
  });
});

describe('fail', () => {
  it('ends the task when it is permanent, or when it was the last attempt', () => {
    const running = stateAt('running', NOW + 1_000);
    expect(outcomeOf(running, { type: 'fail', at: NOW, run: 2, retryable: false, delayMs: 0 })).toBe('failed');
    expect(outcomeOf(stateAt('running', NOW, { run: 3 }), eventOf('fail', 3))).toBe('failed');
    expect(outcomeOf(stateAt('waiting', NOW, { run: 3 }), eventOf('overdue'))).toBe('failed');
  });

  it('sets the next time by the delay', () => {
    const decision = transition(stateAt('running', NOW), eventOf('fail'));
    expect(decision.ok && decision.next).toEqual({ ...COUNTERS, status: 'retrying', nextAt: NOW + 5_000 });
  });
});

describe('defer', () => {
  it('consumes no attempt: the deferral is counted beside the run', () => {
    const decision = transition(stateAt('running', NOW), eventOf('defer'));
    expect(decision.ok && decision.next).toEqual({
      ...COUNTERS,
      status: 'deferred',
      deferrals: 1,
      reason: 'rate-limited',
      nextAt: NOW + 5_000,
      parkedFor: undefined,
    });
  });

  it('parks a task that waits for an event, until its fallback or its deadline (rule R20)', () => {
    const park = (delayMs: number): TaskEvent => ({
      type: 'defer',
      at: NOW,
      run: 2,
      reason: 'paused',
      delayMs,
      park: { line: 'service:ocr' },
    });
    const parked = { ...COUNTERS, status: 'deferred', deferrals: 1, reason: 'paused', parkedFor: 'service:ocr' };
    const soon = transition(stateAt('running', NOW), park(60_000));
    expect(soon.ok && soon.next).toEqual({ ...parked, nextAt: NOW + 60_000 });
    const late = transition(stateAt('running', NOW), park(2 * HOUR_MS));
    expect(late.ok && late.next).toEqual({ ...parked, nextAt: NOW + HOUR_MS });
  });

  it('counts as an attempt after a thousand (rule R18)', () => {
    const deferrals = MAX_FREE_DEFERRALS;
    const first = stateAt('running', NOW, { run: deferrals + 1, deferrals });
    const decision = transition(first, eventOf('defer', deferrals + 1));
    expect(decision.ok && decision.next).toMatchObject({ status: 'deferred', deferrals });
    const last = stateAt('running', NOW, { run: deferrals + 3, deferrals });
    expect(outcomeOf(last, eventOf('defer', deferrals + 3))).toBe('failed');
  });
});

describe('progress and overdue', () => {
  it('progress extends the time for the callback by its full length', () => {
    const decision = transition(stateAt('waiting', NOW + 1), eventOf('progress'));
    expect(decision.ok && decision.next).toEqual(stateAt('waiting', NOW + 60_000));
  });

  it('a callback is overdue at its time, not before', () => {
    expect(outcomeOf(stateAt('waiting', NOW + 1), eventOf('overdue'))).toBe('no: early');
  });
});

describe('expire', () => {
  it('ends what is past its deadline, a live run only after its lease', () => {
    for (const status of OPEN_STATUSES.filter((each) => each !== 'running')) {
      expect(outcomeOf(stateAt(status, NOW + 1, { deadlineAt: NOW }), eventOf('expire'))).toBe('expired');
    }
    expect(outcomeOf(stateAt('running', NOW + 1, { deadlineAt: NOW }), eventOf('expire'))).toBe('no: leased');
    expect(outcomeOf(stateAt('running', NOW, { deadlineAt: NOW }), eventOf('expire'))).toBe('expired');
  });
});

describe('manual retry', () => {
  it('writes off the runs so far and sets a new deadline', () => {
    const decision = transition(stateAt('failed', NOW, { run: 5, deferrals: 2, attemptsOffset: 1 }), eventOf('retry'));
    expect(decision.ok && decision.next).toEqual({
      ...COUNTERS,
      status: 'queued',
      run: 5,
      deferrals: 2,
      attemptsOffset: 3,
      deadlineAt: NOW + 2 * HOUR_MS,
    });
  });
});
