/**
 * Rows in every state as the first schema has them: what a migration finds that comes late. Open ones are due soon, so
 * that the Workers take them up; those of lost callbacks and old deadlines end by the sweeper.
 */
import { importMacKey } from '../shared/crypto/mac.ts';
import { mintTaskId } from '../shared/task/id.ts';
import { isTerminal, OPEN_STATUSES, type TaskStatus, TERMINAL_STATUSES } from '../shared/task/status.ts';

export interface OldRow {
  readonly id: string;
  readonly status: TaskStatus;
  readonly [column: string]: string | number | null;
}

/** The schema that `oldRows` are of. */
export const FIRST_MIGRATIONS: readonly string[] = ['0001_tasks.sql', '0002_parking.sql'];

const HOUR_MS = 3_600_000;
/** Waits end spread over so long. */
const SPREAD_MS = 5_000;
const RESULT = JSON.stringify({ text: 'x'.repeat(500) });
const BODY = JSON.stringify({
  body: { type: 'application/json', encoding: 'json', text: JSON.stringify({ text: 'y'.repeat(500) }) },
});

/** Every fifth row is open, as many in each open state; the others have ended, as many in each way. */
function statusOf(number: number): TaskStatus {
  const all = number % 5 === 0 ? OPEN_STATUSES : TERMINAL_STATUSES;
  return all[Math.floor(number / (number % 5 === 0 ? 5 : 1)) % all.length] ?? 'queued';
}

/** @returns `count` rows of one store, created within the last hour */
export async function oldRows(idSecret: string, store: number, count: number, now: number): Promise<OldRow[]> {
  const key = await importMacKey(idSecret);
  return Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const createdAt = now - HOUR_MS + Math.floor((number * HOUR_MS) / count);
      const id = await mintTaskId(key, 'load', createdAt, store);
      const status = statusOf(number);
      const at = now + ((number * 7) % SPREAD_MS);
      return { ...PLAIN, id, status, deadline_at: now + 24 * HOUR_MS, ...columnsOf(status, at, createdAt) };
    }),
  );
}

const PLAIN = {
  subject: 'load',
  service: 'quick',
  run: 0,
  lease_until: null,
  nonce: null,
  next_at: null,
  due_at: null,
  reason: null,
  callback_timeout_ms: null,
  started_at: null,
  finished_at: null,
  error: null,
  result: null,
  result_type: null,
  result_encoding: null,
  request: BODY,
} as const;

/** What a row of this status has that others have not. */
function columnsOf(status: TaskStatus, at: number, createdAt: number): Partial<Record<string, string | number>> {
  const tried = { run: 1, started_at: createdAt };
  if (isTerminal(status)) {
    const ended = { ...tried, finished_at: createdAt + 1_000 };
    if (status === 'succeeded') {
      return { ...ended, result: RESULT, result_type: 'application/json', result_encoding: 'json' };
    }
    return { ...ended, error: JSON.stringify({ class: 'http', message: `it ${status}` }) };
  }
  switch (status) {
    case 'scheduled':
      return { next_at: at, due_at: at };
    case 'queued':
      return { due_at: at };
    case 'running':
      return { ...tried, lease_until: at, nonce: 'a batch that is gone' };
    case 'waiting':
      return { ...tried, callback_timeout_ms: 1_000, due_at: at };
    case 'retrying':
      return { ...tried, next_at: at };
    default:
      return { ...tried, next_at: at, due_at: at, reason: 'rate-limited' };
  }
}

const COLUMNS = ['id', 'status', 'deadline_at', ...Object.keys(PLAIN)];

/** ?1: rows as a JSON list. */
export const INSERT_OLD_ROWS = `INSERT INTO tasks (${COLUMNS.join(', ')}, max_attempts, base_seconds, cap_seconds)
  SELECT ${COLUMNS.map((column) => `value->>'${column}'`).join(', ')}, 3, 0.5, 2 FROM json_each(?1)`;
