/**
 * Bare Workers with Tasklane's writes, hops and headers, and nothing else of it: the start of each call is recorded before
 * it and its end after it, by a Worker that is asked by RPC, and each request carries as many headers. What Tasklane costs
 * beyond this is what it checks, decides, counts and logs.
 */
import type { BareStart, BareTask } from './task.ts';

interface Env {
  LEDGER: {
    start(tasks: readonly BareTask[]): Promise<BareStart[]>;
    end(rows: readonly { readonly id: string; readonly result: string }[]): Promise<string[]>;
  };
  /** Where each service lives. */
  BACKENDS: Record<string, string>;
  OUTBOUND: Fetcher;
}

export default {
  async queue(batch, env) {
    const tasks = batch.messages.map(({ body }) => body);
    const started = new Map((await env.LEDGER.start(tasks)).map(({ id, word }) => [id, word]));
    const deadline = new Date(Date.now() + 86_400_000).toISOString();
    const rows = await Promise.all(tasks.map((task) => run(task, env, started.get(task.id) ?? '', deadline)));
    await env.LEDGER.end(rows);
    for (const message of batch.messages) message.ack();
  },
} satisfies ExportedHandler<Env, BareTask>;

async function run({ id, request }: BareTask, env: Env, word: string, deadline: string) {
  const response = await env.OUTBOUND.fetch(env.BACKENDS[request.service] ?? '', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'accept-encoding': 'gzip, br',
      'tasklane-hops': '1',
      'idempotency-key': id,
      'task-id': id,
      'task-attempt': '1',
      'task-deadline': deadline,
      'task-callback-url': `http://localhost:8787/api/task/${id}`,
      'task-callback-token': word,
      traceparent: `00-${id.slice(-32).replaceAll('-', '0')}-${id.slice(-16).replaceAll('-', '0')}-01`,
    },
    redirect: 'manual',
    signal: new AbortController().signal,
    body: JSON.stringify(request.payload),
  });
  if (!response.ok) throw new Error(`${request.service} answered ${response.status}`);
  return { id, result: await response.text() };
}
