/**
 * Bare Workers, the yardstick: calls the backend for a whole batch at once and records the answers in
 * one statement. A failed call fails the batch, which the platform then delivers again: no attempts,
 * no back-off, no leases, nothing that stops a task from running twice.
 */
import type { BareTask } from './task.ts';

interface Env {
  DB: D1Database;
  /** Where each service lives. */
  BACKENDS: Record<string, string>;
  /** The network itself, where the bench takes Miniflare's own Worker out of the way to it. */
  OUTBOUND?: Fetcher;
}

const RECORD = `INSERT INTO tasks (id, status, request, result)
  SELECT value ->> 'id', 'succeeded', value ->> 'request', value ->> 'result' FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET status = excluded.status, result = excluded.result`;

export default {
  async queue(batch, env) {
    const rows = await Promise.all(batch.messages.map((message) => run(message.body, env)));
    await env.DB.prepare(RECORD).bind(JSON.stringify(rows)).run();
  },
} satisfies ExportedHandler<Env, BareTask>;

async function run({ id, request }: BareTask, env: Env): Promise<{ id: string; request: string; result: string }> {
  const response = await (env.OUTBOUND ?? globalThis).fetch(env.BACKENDS[request.service] ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request.payload),
  });
  if (!response.ok) throw new Error(`${request.service} answered ${response.status}`);
  return { id, request: JSON.stringify(request), result: await response.text() };
}
