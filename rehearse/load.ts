/** Tasks that are submitted all the time, whatever becomes of the Workers meanwhile. What was answered with 202 counts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { signToken } from '../shared/auth/token.ts';
import type { LiveAccount } from './live-account.ts';

const TASKS_A_BATCH = 20;
const PAUSE_MS = 100;

export interface Load {
  /** Ids of all tasks that were accepted. */
  readonly accepted: readonly string[];
  /** Submissions without an answer, because the runtime was being exchanged. */
  readonly interrupted: number;
  /** Answers other than 202. */
  readonly refusals: readonly string[];
  /** Waits for so many more. @throws Error when they do not come */
  more(tasks: number): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const MORE_WITHIN_MS = 30_000;

export async function startLoad(account: LiveAccount, jwtSecret: string, service: string): Promise<Load> {
  const token = await signToken({ role: 'client', sub: 'load' }, jwtSecret, 3_600);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({
    tasks: Array.from({ length: TASKS_A_BATCH }, (_, page) => ({ service, payload: { page } })),
  });
  const accepted: string[] = [];
  const refusals: string[] = [];
  let interrupted = 0;
  let isOn = true;
  const submit = async () => {
    let response: Response;
    let text: string;
    try {
      response = await account.fetch('/api/tasks/batch', { method: 'POST', headers, body });
      text = await response.text();
    } catch {
      interrupted += 1;
      return;
    }
    if (response.status !== 202) refusals.push(`${response.status}: ${text.slice(0, 300)}`);
    else accepted.push(...(JSON.parse(text) as { results: { id: string }[] }).results.map(({ id }) => id));
  };
  const running = (async () => {
    while (isOn) {
      await submit();
      await sleep(PAUSE_MS);
    }
  })();
  return {
    accepted,
    refusals,
    get interrupted() {
      return interrupted;
    },
    async more(tasks) {
      const from = accepted.length;
      const until = Date.now() + MORE_WITHIN_MS;
      while (accepted.length < from + tasks) {
        if (Date.now() > until) {
          throw new Error(
            `${accepted.length - from} of ${tasks} tasks were accepted; ${refusals.at(-1) ?? 'no answer'}`,
          );
        }
        await sleep(PAUSE_MS);
      }
      return accepted.slice(from);
    },
    async stop() {
      isOn = false;
      await running;
    },
  };
}

/** @returns the statuses of these tasks, `missing` for those without a row, once all have ended. @throws Error */
export async function untilAllEnded(
  account: LiveAccount,
  ids: readonly string[],
  withinMs: number,
): Promise<Readonly<Record<string, number>>> {
  const until = Date.now() + withinMs;
  const open = new Set(ids);
  const counts: Record<string, number> = {};
  for (;;) {
    for (const { uuid } of account.stores()) {
      // The open ones alone, in parts: an answer has its limit.
      const asked = [...open].slice(0, 20_000);
      const rows = await account.ask(
        uuid,
        `SELECT id, status FROM tasks WHERE finished_at IS NOT NULL AND id IN (SELECT value FROM json_each(?1))`,
        [JSON.stringify(asked)],
      );
      for (const { id, status } of rows) {
        if (!open.delete(String(id))) continue;
        counts[String(status)] = (counts[String(status)] ?? 0) + 1;
      }
    }
    if (open.size === 0) return counts;
    if (Date.now() > until) {
      throw new Error(`${open.size} of ${ids.length} tasks have not ended, ${[...open][0]} for one`);
    }
    await sleep(500);
  }
}
