/**
 * Of bare Workers that write as often as Tasklane: a Worker that records the start and the end of a batch's calls, which
 * the consumer reaches as Tasklane's does, by RPC. Whatever the row says already is overwritten.
 */
import { WorkerEntrypoint } from 'cloudflare:workers';
import type { BareStart, BareTask } from './task.ts';

interface Env {
  DB: D1Database;
}

const START = `INSERT INTO tasks (id, status, request)
  SELECT value ->> 'id', 'running', value ->> 'request' FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET status = excluded.status RETURNING id`;

const END = `UPDATE tasks SET status = 'succeeded', result = ended.result
  FROM (SELECT value ->> 'id' AS id, value ->> 'result' AS result FROM json_each(?1)) AS ended
  WHERE tasks.id = ended.id RETURNING tasks.id`;

export class Ledger extends WorkerEntrypoint<Env> {
  /** @returns for each task a word that its backend gets: as long as a callback token, and no proof of anything */
  async start(tasks: readonly BareTask[]): Promise<BareStart[]> {
    const rows = tasks.map(({ id, request }) => ({ id, request: JSON.stringify(request) }));
    const { results } = await this.env.DB.prepare(START).bind(JSON.stringify(rows)).all<{ id: string }>();
    return results.map(({ id }) => ({ id, word: id.slice(-34) }));
  }

  async end(rows: readonly { readonly id: string; readonly result: string }[]): Promise<string[]> {
    const { results } = await this.env.DB.prepare(END).bind(JSON.stringify(rows)).all<{ id: string }>();
    return results.map(({ id }) => id);
  }
}

export default {};
