import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerClaims } from '../../callback/runs/claim.ts';
import { settleAttempts } from '../../callback/runs/settle.ts';
import { Statistics } from '../../callback/statistics.ts';
import type { Settlement } from '../../shared/ledger/contract.ts';
import { percentileMs } from '../../shared/statistics/histogram.ts';
import { counterOf, deferralsByReason, type Tally, waitsByReason } from '../../shared/statistics/tally.ts';
import type { Move } from '../../shared/store/transitions.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import { House } from '../protocol/house.ts';

const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };

/** What a settle says of tasks that succeeded at a server. */
function ended(tasks: number, { service = 'ocr', subject = 'alice', server = 'a', at = 0 } = {}) {
  const moves = Array.from({ length: tasks }, (_, number): Move => {
    const id = `${smallestTaskIdAt(at).slice(0, 20)}${String(number).padStart(16, '0')}`;
    const counters = { run: 1, deferrals: 0, attemptsOffset: 0, policy: POLICY, deadlineAt: at + 1 };
    return {
      id,
      expected: { status: 'running', run: 1 },
      next: { ...counters, status: 'succeeded', finishedAt: at },
      record: { run: 1, attempt: 1, outcome: 'succeeded', startedAt: at - 30, endedAt: at, server },
    };
  });
  return [moves, new Map(moves.map(({ id }) => [id, { id, service, subject, is_told: 0 }])), at] as const;
}

describe('counts in memory', () => {
  it('are written when enough tasks share a row: under 0.05 rows a task', () => {
    const statistics = new Statistics();
    let rows = 0;
    for (let task = 0; task < 1_000; task++) {
      statistics.noteMoves(...ended(1, { at: task * 100 }));
      rows += statistics.takeDue(task * 100).length;
    }
    expect(rows).toBeGreaterThan(0);
    expect(rows / 1_000).toBeLessThanOrEqual(0.05);
  });

  it('are written every two seconds at most, however many tasks end', () => {
    const statistics = new Statistics();
    let writes = 0;
    for (let now = 0; now < 10_000; now += 10) {
      statistics.noteMoves(...ended(100, { at: now }));
      if (statistics.takeDue(now).length > 0) writes += 1;
    }
    expect(writes).toBe(4);
  });

  it('are written after a while where tasks are few, once', () => {
    const statistics = new Statistics();
    statistics.noteMoves(...ended(1, { at: 1_000 }));
    expect(statistics.takeDue(2_000)).toEqual([]);
    expect(statistics.takeDue(60_000)).toHaveLength(3);
    expect(statistics.takeDue(60_000)).toEqual([]);
  });

  it('are told apart by service, submitter and server when they are written, each hour for itself', () => {
    const statistics = new Statistics();
    const hour = 3600_000;
    statistics.noteMoves(...ended(3, { at: hour - 1 }));
    statistics.noteMoves(...ended(2, { server: 'b', at: hour }));
    statistics.noteMoves(...ended(4, { service: 'llm', subject: 'bob', server: 'b', at: hour }));
    statistics.noteMoves(...ended(5, { service: `webhook:hooks.example.com:${'0'.repeat(16)}`, at: hour }));
    const counted = statistics
      .takeDue(2 * hour)
      .map((tally) => [tally.kind, tally.name, tally.hour, counterOf(tally, 'succeeded'), counterOf(tally, 'callMs')]);
    expect(counted).toEqual([
      ['service', 'ocr', 0, 3, 90],
      ['subject', 'alice', 0, 3, 90],
      ['server', 'a', 0, 3, 90],
      ['service', 'ocr', 1, 2, 60],
      ['subject', 'alice', 1, 2, 60],
      ['server', 'b', 1, 6, 180],
      ['service', 'llm', 1, 4, 120],
      ['subject', 'bob', 1, 4, 120],
      ['service', 'webhook:*', 1, 5, 150],
    ]);
  });

  it('are flushed by one request, and by another when that one is gone', () => {
    const statistics = new Statistics();
    statistics.noteMoves(...ended(1));
    const pauseMs = statistics.planFlush(0);
    expect(pauseMs).toBeGreaterThan(0);
    expect(statistics.planFlush(1)).toBeUndefined();
    expect(statistics.planFlush((pauseMs ?? 0) + 1)).toBe(0);
  });
});

describe('counts of the pipeline', () => {
  let house: House;
  beforeEach(async () => {
    house = await House.open();
  });
  afterEach(() => house.close());

  it('say what became of the tasks: starts, attempts, deferrals and ends', async () => {
    const tasks = [await house.mint(), await house.mint(), await house.mint()];
    const outcomes = [
      (at: number, run: number): Settlement['event'] => ({ type: 'succeed', at, run }),
      (at: number, run: number): Settlement['event'] => ({ type: 'fail', at, run, retryable: false, delayMs: 0 }),
      (at: number, run: number): Settlement['event'] => ({
        type: 'defer',
        at,
        run,
        reason: 'rate-limited',
        delayMs: 1_000,
      }),
    ];
    const ending = await house.callback('settle', async (callback) => {
      const claims = tasks.map(({ id, request, ...task }) => ({
        id,
        leaseMs: 60_000,
        task: { ...task, request: JSON.stringify(request) },
      }));
      const answers = await answerClaims(callback, { nonce: crypto.randomUUID(), claims }, Date.now());
      const settlements = answers.flatMap((answer, at): Settlement[] => {
        const eventOf = outcomes[at];
        if (!answer.granted || eventOf === undefined) return [];
        return [{ id: answer.id, state: answer.state, event: eventOf(Date.now(), answer.state.run) }];
      });
      await settleAttempts(callback, settlements, Date.now());
      return callback.statistics.takeDue(Date.now() + 3600_000);
    });
    if (ending.kind !== 'returned') throw new Error('the settle was cut short');
    const [service] = ending.value.filter(({ kind }) => kind === 'service');
    if (service === undefined) throw new Error('nothing was counted');
    const counters = ['started', 'attempts', 'succeeded', 'failed'] as const;
    expect(counters.map((counter) => counterOf(service, counter))).toEqual([3, 2, 1, 1]);
    expect(deferralsByReason(service)).toEqual({ 'rate-limited': 1 });
  });
});

describe('counts of a task that another service takes', () => {
  it('are those of the service that was called: the one that failed has the attempt', async () => {
    const house = await House.open();
    const { id, request, ...task } = await house.mint();
    const counted = await house.callback('settle', async (callback) => {
      const claim = { id, leaseMs: 60_000, task: { ...task, request: JSON.stringify(request) } };
      const [grant] = await answerClaims(callback, { nonce: crypto.randomUUID(), claims: [claim] }, Date.now());
      if (!grant?.granted) throw new Error('the task is not claimed');
      const event = { type: 'fail', at: Date.now(), run: grant.state.run, retryable: true, delayMs: 0 } as const;
      const fallback = { from: task.service, service: 'spare', atOnce: true };
      await settleAttempts(callback, [{ id, state: grant.state, event, fallback }], Date.now());
      return callback.statistics.takeDue(Date.now() + 3600_000);
    });
    house.close();
    if (counted.kind !== 'returned') throw new Error('the settle was cut short');
    const services = counted.value.filter(({ kind }) => kind === 'service');
    expect(services.map((tally) => [tally.name, counterOf(tally, 'attempts')])).toEqual([[task.service, 1]]);
  });
});

describe('waits', () => {
  let house: House;
  beforeEach(async () => {
    house = await House.open();
  });
  afterEach(() => house.close());

  /** Claims a task and puts it off; what was counted of it. */
  async function putOff(park: string | undefined, delayMs: number) {
    const { id, request, ...task } = await house.mint();
    const at = Date.now();
    const counted = await house.callback('settle', async (callback) => {
      const claim = { id, leaseMs: 60_000, task: { ...task, request: JSON.stringify(request) } };
      const [grant] = await answerClaims(callback, { nonce: crypto.randomUUID(), claims: [claim] }, at);
      if (!grant?.granted) throw new Error('the task is not claimed');
      const { state } = grant;
      const event = { type: 'defer', at, run: state.run, reason: 'no-key', delayMs } as const;
      const parked = park === undefined ? event : { ...event, park: { line: park } };
      await settleAttempts(callback, [{ id, state, event: parked }], at);
      const again = { nonce: crypto.randomUUID(), claims: [{ id, leaseMs: 60_000 }] };
      await answerClaims(callback, again, at + 40_000);
      return callback.statistics.takeDue(at + 3600_000);
    });
    if (counted.kind !== 'returned') throw new Error('the settle was cut short');
    return counted.value;
  }

  const mediansOf = (tallies: readonly Tally[]) =>
    tallies
      .filter(({ kind }) => kind === 'service')
      .flatMap((tally) => [...waitsByReason(tally)].map(([reason, counts]) => [reason, percentileMs(counts, 1)]));

  it('for capacity are as long as until the claim that ends them, by reason', async () => {
    const [[reason, ms] = []] = mediansOf(await putOff('pool:default', 30_000));
    expect(reason).toBe('no-key');
    // Buckets double: 40 s are between 32.8 and 65.5.
    expect(ms).toBeGreaterThan(32_000);
    expect(ms).toBeLessThan(66_000);
  });

  it('whose end is known when they begin are counted then, and once', async () => {
    const [[, ms] = [], ...others] = mediansOf(await putOff(undefined, 30_000));
    expect(ms).toBeGreaterThan(16_000);
    expect(ms).toBeLessThan(33_000);
    expect(others).toEqual([]);
  });

  it('say beside them how long the store took', async () => {
    const stores = (await putOff('pool:default', 30_000)).filter(({ kind }) => kind === 'store');
    expect(stores.map(({ name, call }) => [name, call.reduce((sum, count) => sum + count, 0)]).sort()).toEqual([
      ['claim 0', 2],
      ['settle 0', 1],
    ]);
  });
});
