/**
 * Bare Workers, the yardstick: the least code that takes tasks into a queue and answers polls. No
 * tokens, no validation, no ids that can be checked, no retries, no failover.
 *
 * RECORD = `no`: accept only sends to the queue, the row appears when the task is finished.
 * RECORD = `yes`: accept also inserts the row, in one statement a request, before it answers.
 * What a careful author would do anyway is done: ids sort by time, inserts go in one statement.
 */
import type { BareTask } from './task.ts';

interface Env {
  DB: D1Database;
  TASK_QUEUE_0: Queue<BareTask>;
  TASK_QUEUE_1: Queue<BareTask>;
  RECORD: 'yes' | 'no';
}

const INSERT = `INSERT INTO tasks (id, status, request)
  SELECT value ->> 'id', 'queued', value ->> 'request' FROM json_each(?1)`;

let nextShard = 0;

export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (request.method === 'GET') return poll(env, path.slice(path.lastIndexOf('/') + 1));
    const body = await request.json<{ tasks?: BareTask['request'][] } & BareTask['request']>();
    const tasks = (body.tasks ?? [body]).map((task) => ({ id: newId(), request: task }));
    if (env.RECORD === 'yes') await record(env, tasks);
    if (body.tasks === undefined) {
      for (const task of tasks) await pickQueue(env).send(task);
      return Response.json({ id: tasks[0]?.id, status: 'queued' }, { status: 202 });
    }
    for (let start = 0; start < tasks.length; start += 100) {
      await pickQueue(env).sendBatch(tasks.slice(start, start + 100).map((task) => ({ body: task })));
    }
    return Response.json({ results: tasks.map(({ id }, index) => ({ index, id, status: 'queued' })) }, { status: 202 });
  },
} satisfies ExportedHandler<Env>;

async function poll(env: Env, id: string): Promise<Response> {
  const row = await env.DB.prepare('SELECT status, result FROM tasks WHERE id = ?1').bind(id).first();
  return Response.json(row === null ? { id, status: 'queued' } : { id, ...row });
}

async function record(env: Env, tasks: readonly BareTask[]): Promise<void> {
  const rows = tasks.map(({ id, request }) => ({ id, request: JSON.stringify(request) }));
  await env.DB.prepare(INSERT).bind(JSON.stringify(rows)).run();
}

function pickQueue(env: Env): Queue<BareTask> {
  nextShard = 1 - nextShard;
  return nextShard === 0 ? env.TASK_QUEUE_0 : env.TASK_QUEUE_1;
}

function newId(): string {
  return Date.now().toString(36).padStart(9, '0') + crypto.randomUUID();
}
