/**
 * Waits until a queue is empty, then takes its consumer away. The platform counts every message that
 * was not acknowledged, those that wait for their time and those that a consumer holds among them, and
 * calls the count approximate: so it must be zero several times in a row, and once more without a
 * consumer. With force a queue goes as it is: the tasks that have a row are made due and go on on another
 * shard, and what no consumer has seen yet is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { OPEN_STATUSES } from '../../shared/task/status.ts';
import type { CloudflareApi } from '../account/api.ts';
import { queryDatabase } from '../account/database.ts';
import { DeployError } from '../deploy-error.ts';
import { detachQueue, type ResourceContext } from './resources.ts';

export interface DrainOptions {
  /** How long a queue is waited for. */
  readonly maxMs: number;
  readonly pollMs: number;
  /** Takes the queue away after that time whatever is left in it. */
  readonly force: boolean;
}

interface DrainContext extends ResourceContext {
  readonly drain: DrainOptions;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const QUIET_READS = 3;

const MetricsSchema = z.looseObject({ backlog_count: z.number() });

export async function readBacklog(api: CloudflareApi, queueId: string): Promise<number> {
  return (await api.get(`/queues/${queueId}/metrics`, MetricsSchema)).backlog_count;
}

/** @throws DeployError when the time is over: nothing is lost, and the next run waits on */
export async function drainQueue(context: DrainContext, name: string): Promise<void> {
  const { api, ids, drain, say } = context;
  const queue = ids.findQueue(name);
  if (queue === undefined) return;
  const left = await waitUntilEmpty(context, name, queue.id);
  if (left > 0 && !drain.force) throw new DeployError(stillThere(left, drain));
  await detachQueue(context, name);
  // The last look comes after the consumer is gone; the next run would bring it back.
  const late = left > 0 ? left : await readBacklog(api, queue.id);
  if (late === 0) return;
  if (!drain.force) throw new DeployError(`${late} messages came at the last moment; run the same command again`);
  const rescued = await makeOpenTasksDue(context);
  say(
    `      ${name}: goes with about ${late} messages in it, as --force says; ${rescued} open tasks go on from their rows`,
  );
}

/** @returns about how many messages are left when the time is over */
async function waitUntilEmpty(
  { api, drain, say, signal }: DrainContext,
  name: string,
  queueId: string,
): Promise<number> {
  const endAt = Date.now() + drain.maxMs;
  let shown: number | undefined;
  for (let quiet = 0; ; ) {
    const backlog = await readBacklog(api, queueId);
    quiet = backlog === 0 ? quiet + 1 : 0;
    if (backlog !== shown) say(`      ${name}: ${backlog} ${backlog === 1 ? 'message' : 'messages'} left`);
    shown = backlog;
    if (quiet === QUIET_READS || Date.now() >= endAt) return backlog;
    await sleep(drain.pollMs, undefined, { signal });
  }
}

function stillThere(messages: number, { maxMs }: DrainOptions): string {
  const minutes = Math.ceil(maxMs / 60_000);
  return (
    `still about ${messages} messages after ${minutes} ${minutes === 1 ? 'minute' : 'minutes'} (a task that is retried later waits ` +
    'there). Everything works meanwhile: run the same command later, wait longer with --drain-minutes, or remove ' +
    'the queue with --force, which loses the tasks that no consumer has seen yet'
  );
}

/** Messages are only wake-ups: a task that has a row goes on when the row is due (rule R2). */
async function makeOpenTasksDue({ api, ids }: DrainContext): Promise<number> {
  const open = OPEN_STATUSES.map((status) => `'${status}'`).join(', ');
  let tasks = 0;
  for (const id of ids.databases.values()) {
    const rows = await queryDatabase(
      api,
      id,
      `UPDATE tasks SET due_at = CAST(?1 AS INTEGER) WHERE due_at IS NULL AND status IN (${open}) RETURNING id`,
      [String(Date.now())],
    );
    tasks += rows.length;
  }
  return tasks;
}
