/** Tasks of one service in a local run: submitted in batches, and waited for. */
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { signRoleTokens } from '../../local/role-tokens.ts';
import type { LocalRun } from '../../local/runtime.ts';

export const SERVICE = 'llm';
export const SECRETS = {
  JWT_SECRET: 'jwt-secret-of-the-benchmark-32-bytes-or-more',
  ID_SECRET: 'id-secret-of-the-benchmark-32-bytes-or-more',
  CALLBACK_SECRET: 'callback-secret-of-the-benchmark-32-bytes-or-more',
  WEBHOOK_SECRET: 'webhook-secret-of-the-benchmark-32-bytes-or-more',
};

const BATCH = 100;

export async function submitTasks(run: LocalRun, count: number): Promise<void> {
  const { client } = await signRoleTokens(SECRETS.JWT_SECRET);
  const headers = { authorization: `Bearer ${client}`, 'content-type': 'application/json' };
  for (let at = 0; at < count; at += BATCH) {
    const tasks = Array.from({ length: Math.min(BATCH, count - at) }, (_, index) => ({
      service: SERVICE,
      payload: { model: 'example', messages: [{ role: 'user', content: `task ${at + index}` }] },
    }));
    const response = await fetch(`${run.url}/api/tasks/batch`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ tasks }),
    });
    if (response.status !== 202) throw new Error(`the batch answered ${response.status}: ${await response.text()}`);
  }
}

export interface Ended {
  readonly succeeded: number;
  readonly failed: number;
  readonly deferrals: number;
  /** Unix ms: when the last one ended. */
  readonly lastAt: number;
}

export async function untilEnded(database: DatabaseSync, tasks: number, timeoutMs: number): Promise<Ended> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const row = database
      .prepare(
        `SELECT count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE finished_at IS NOT NULL AND status <> 'succeeded') AS failed,
           coalesce(sum(deferrals), 0) AS deferrals, coalesce(max(finished_at), 0) AS lastAt FROM tasks`,
      )
      .get() as unknown as Ended;
    if (row.succeeded + row.failed === tasks) return row;
    if (Date.now() > giveUpAt) throw new Error(`the tasks did not end: ${JSON.stringify(row)}`);
    await sleep(500);
  }
}
