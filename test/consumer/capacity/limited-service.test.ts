/** A service at a fixed address, without keys, whose backend answers 429: slowed as a service, its tasks in its line. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, ok, status } from '../../protocol/backend.ts';
import { START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import type { Letter } from '../../protocol/post.ts';
import { comeToRest } from '../../protocol/rest.ts';
import { isOff, watchPolls } from './said-until.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
  house.watching = false;
});
afterEach(() => house.close());

const SECOND = 1_000;

/** Lets in so many calls in each period that begins with a call. */
function window(calls: number, periodMs: number, told: boolean): Answer {
  let since = Number.NEGATIVE_INFINITY;
  let left = 0;
  return (call) => {
    const now = Date.now();
    if (now >= since + periodMs) {
      since = now;
      left = calls;
    }
    if (left > 0) {
      left -= 1;
      return ok()(call);
    }
    const seconds = Math.ceil((since + periodMs - now) / 1_000);
    return status(429, told ? { 'retry-after': String(seconds) } : {})(call);
  };
}

const inTens = (letters: readonly Letter[]) =>
  Array.from({ length: Math.ceil(letters.length / 10) }, (_, index) => letters.slice(index * 10, index * 10 + 10));
const submit = (count: number) =>
  Promise.all(Array.from({ length: count }, () => house.submit({ service: 'fetched' })));

describe('a service at a fixed address, without keys, that answers 429', () => {
  it.each([
    { calls: 10, seconds: 1, told: true, tasks: 80, atMost: 1.1 },
    { calls: 10, seconds: 5, told: true, tasks: 80, atMost: 1.1 },
    { calls: 10, seconds: 5, told: false, tasks: 80, atMost: 1.15 },
    { calls: 5, seconds: 20, told: false, tasks: 120, atMost: 1.15 },
    { calls: 20, seconds: 5, told: false, tasks: 120, atMost: 1.15 },
  ])('takes $tasks tasks by $calls in $seconds s, told: $told', async ({ calls, seconds, told, tasks, atMost }) => {
    house.backend.fallback = window(calls, seconds * SECOND, told);
    await submit(tasks);
    await comeToRest(house, { batch: inTens });
    const rows = await house.rows();
    expect(rows.map((row) => row.status)).toEqual(Array(tasks).fill('succeeded'));
    const idealMs = (tasks / calls - 1) * seconds * SECOND;
    const tookMs = Math.max(...rows.map((row) => row.finished_at ?? 0)) - START;
    expect(tookMs).toBeLessThan(idealMs * atMost + SECOND);
    // They wait once, in line, and nothing of them is in the queue meanwhile.
    expect(rows.reduce((sum, row) => sum + row.deferrals, 0) / tasks).toBeLessThan(1.15);
    // What is refused after all came when nothing was known of the limit, or tries it.
    const later = house.backend.calls.filter(({ startedAt }) => startedAt > START + SECOND);
    expect(later.filter(({ ending }) => ending === 429).length / later.length).toBeLessThan(0.12);
  });

  it('stops a batch whose calls are refused: those that have not begun stand in line without having been made', async () => {
    house.backend.fallback = window(2, 5 * SECOND, false);
    await submit(20);
    await comeToRest(house);
    const atOnce = house.backend.calls.filter(({ startedAt }) => startedAt < START + SECOND);
    // Six at a time, and the next one for each that ended before the first refusal.
    expect(atOnce.map(({ ending }) => ending)).toEqual([200, 200, 429, 429, 429, 429, 429, 429]);
    const rows = await house.rows();
    expect(rows.map((row) => row.status)).toEqual(Array(20).fill('succeeded'));
  });

  it.each([
    { connections: 6, batch: inTens },
    { connections: 120, batch: undefined },
  ])(
    'says how long a task waits once it knows, and not before, $connections calls of a batch at a time',
    async (mode) => {
      house.connections = mode.connections;
      house.backend.fallback = window(20, 5 * SECOND, false);
      await submit(120);
      const said = watchPolls(house, 28);
      await comeToRest(house, mode.batch && { batch: mode.batch });
      const known = said.filter(({ until }) => until !== undefined);
      // Two periods must have ended before anybody can know.
      expect(said.filter(({ at }) => at < START + 5 * SECOND).every(({ until }) => until === undefined)).toBe(true);
      expect(known.length).toBeGreaterThan(said.length / 3);
      // All of a period start together, whatever their places.
      const odd = known.filter((each) => isOff(house, each, 5 * SECOND));
      expect(odd).toEqual([]);
    },
  );

  it('one task that is always refused delays its neighbours by moments, and comes at growing intervals', async () => {
    const poison = await house.submit({ service: 'fetched', deadlineMs: 600 * SECOND });
    house.backend.fallback = (call) => (call.id === poison.id ? status(429) : ok())(call);
    await submit(9);
    for (let count = 1; count < 40; count++) house.plan(START + count * 2 * SECOND, () => submit(1));
    await comeToRest(house, { batch: inTens });
    const waits = house.post.sent
      .filter(({ taskId, body }) => taskId !== poison.id && (body as { kind: string }).kind === 'task')
      .map(({ taskId, sentAt }) => house.backend.callsOf(taskId)[0]!.startedAt - sentAt);
    expect(Math.max(...waits)).toBeLessThan(6 * SECOND);
    expect(waits.sort((a, b) => a - b)[waits.length / 2]).toBeLessThan(2 * SECOND);
    const starts = house.backend.callsOf(poison.id).map(({ startedAt }) => startedAt);
    expect(starts.length).toBeLessThan(12);
    expect(await house.row(poison.id)).toMatchObject({ status: 'expired' });
  });
});
