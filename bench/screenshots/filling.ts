/**
 * A deployment as it is on a busy day: a hundred thousand tasks of the last 24 hours, most of them ended well, some
 * failed, a long line at an API's limit, with references, labels, groups and an hour by hour record.
 */
import {
  countAttempt,
  countDeferral,
  countEnd,
  countStart,
  emptyTally,
  hourOf,
  type Tally,
} from '../../shared/statistics/tally.ts';
import { addToStatistics } from '../../shared/store/statistics.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';

export const TASKS = 100_000;
const SERVICES = ['quick', 'llm', 'slow', 'flaky', 'gemini'] as const;
const LINE = 'pool:default';
const DAY_MS = 86_400_000;
const STEP_MS = DAY_MS / TASKS;
const CHUNK = 20_000;
const PACE = 0.4;

const serviceOf = (n: string) => `CASE ${n} % 10 WHEN 0 THEN 'slow' WHEN 1 THEN 'flaky' WHEN 2 THEN 'gemini'
  WHEN 3 THEN 'llm' WHEN 4 THEN 'llm' ELSE 'quick' END`;

/** One in fifty of the newest fifth waits in line; one in thirty failed, one in two hundred expired. */
const PARKED = `(n >= ${TASKS * 0.8} AND n % 10 IN (2, 3) AND n % 5 = 3)`;

export async function fill(db: D1Database, now: number): Promise<void> {
  const start = now - DAY_MS;
  for (let first = 0; first < TASKS; first += CHUNK) {
    const heads = Array.from({ length: CHUNK / 100 }, (_, at) =>
      smallestTaskIdAt(Math.floor(start + (first + at * 100) * STEP_MS)).slice(0, 13),
    );
    await db
      .prepare(
        `WITH RECURSIVE n (n) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?1 + ${CHUNK})
         INSERT INTO tasks (id, subject, service, status, run, deferrals, max_attempts, base_seconds, cap_seconds, deadline_at,
           next_at, due_at, reason, parked_for, place, finished_at, started_at, request, failures, error, ref, labels, history)
         SELECT (?2 ->> ((n - CAST(?1 AS INTEGER)) / 100)) || printf('%07d', n % 100) || printf('%016d', n),
           CASE n % 4 WHEN 0 THEN 'shop' WHEN 1 THEN 'archive' ELSE 'demo' END, ${serviceOf('n')},
           CASE WHEN ${PARKED} THEN 'deferred' WHEN n % 30 = 7 THEN 'failed' WHEN n % 200 = 11 THEN 'expired' ELSE 'succeeded' END,
           1, ${PARKED}, 8, 2, 3600, ?3 + n * ${STEP_MS} + ${DAY_MS},
           CASE WHEN ${PARKED} THEN ?4 END, CASE WHEN ${PARKED} THEN ?4 END, CASE WHEN ${PARKED} THEN 'no-key' END,
           CASE WHEN ${PARKED} THEN '${LINE}' END, CASE WHEN ${PARKED} THEN n END,
           CASE WHEN NOT ${PARKED} THEN CAST(?3 + n * ${STEP_MS} + 2500 AS INTEGER) END, CAST(?3 + n * ${STEP_MS} + 40 AS INTEGER),
           '{}', n % 30 = 7 AND NOT ${PARKED},
           CASE WHEN ${PARKED} THEN NULL
             WHEN n % 30 = 7 THEN json_object('class', 'http', 'httpStatus', 404, 'message', 'The backend answered 404: model ' || (n % 7) || 'b not found')
             WHEN n % 200 = 11 THEN json_object('class', 'deadline', 'message', 'The deadline passed before the task could run.') END,
           CASE WHEN n % 50 = 0 THEN 'order-' || n END,
           CASE WHEN n % 50 = 0 THEN json_object('customer', CASE n % 3 WHEN 0 THEN 'acme' ELSE 'umbrella' END) END, '[]'
         FROM n`,
      )
      .bind(first, JSON.stringify(heads), start, now + DAY_MS)
      .run();
  }
  await db
    .prepare('INSERT OR REPLACE INTO lines (line, per_second, noted_at) VALUES (?1, ?2, ?3)')
    .bind(LINE, PACE, now)
    .run();
  await addToStatistics(db, hours(now));
  await addGroups(db, now);
}

/** More by day than by night, and an hour in which much failed. */
function hours(now: number): Tally[] {
  return Array.from({ length: 48 }, (_, ago) =>
    SERVICES.map((name, which) => {
      const hour = hourOf(now) - ago;
      const tally = emptyTally('service', name, hour);
      const tasks = Math.round((900 + 600 * Math.sin((hour % 24) / 3.8)) / (which + 1));
      for (let at = 0; at < tasks; at++) {
        const isBad = at % (ago === 5 ? 3 : 30) === 7;
        countStart(tally, 20 + ((at * 37) % 900));
        countAttempt(tally, 80 + ((at * 91) % 4_000), isBad);
        if (at % 9 === 0) countDeferral(tally, 'no-key', 4_000 + ((at * 977) % 90_000));
        countEnd(tally, isBad ? 'failed' : 'succeeded', 200 + ((at * 91) % 6_000));
      }
      return tally;
    }),
  ).flat();
}

async function addGroups(db: D1Database, now: number): Promise<void> {
  const rows = [
    ['night-7', 12, 5_000, 4_812, 38, true],
    ['night-6', 36, 5_000, 4_990, 10, true],
    ['import-of-the-archive-of-2025', 2, 40_000, 12_345, 0, false],
  ] as const;
  for (const [name, hoursAgo, total, succeeded, failed, isClosed] of rows) {
    const createdAt = now - hoursAgo * 3600_000;
    const isEnded = isClosed && succeeded + failed === total;
    await db
      .prepare(
        `INSERT INTO groups (subject, name, created_at, closed_at, ended_at, total, succeeded, failed, message)
         VALUES ('demo', ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'tsk_of_the_end')`,
      )
      .bind(
        name,
        createdAt,
        isClosed ? createdAt + 60_000 : null,
        isEnded ? now - 3600_000 : null,
        total,
        succeeded,
        failed,
      )
      .run();
  }
}
