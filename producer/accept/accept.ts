/**
 * Accepting tasks: into a queue, else into the database as due now, else not at all.
 *
 * Guarantee: what is answered as accepted has a carrier (rule R1): a message, or a row with `due_at`.
 * With `queue+record` the row is there too (rule R8). It is written after the send, because only then
 * is it known whether the row must carry `due_at` itself. What is answered as not accepted may still
 * run: a send or a write that reported an error may have landed (rule R19).
 */

import { shardsForService } from '../../shared/key/shards.ts';
import { logError } from '../../shared/log.ts';
import { type NewTask, newTaskMessage } from '../../shared/message/task-message.ts';
import { recordAccepted } from '../../shared/store/accept.ts';
import { graceMs } from '../../shared/task/backoff.ts';
import { MAX_QUEUE_DELAY_MS } from '../../shared/task/disposition.ts';
import { type Admitted, admitToGroups } from '../groups/admission.ts';
import type { Runtime } from '../runtime.ts';
import { chunkTasks } from '../submission/task-size.ts';
import { chooseShard } from './shard.ts';

/** True when the task will reach an end; false when nothing is promised; or its group takes no more, for certain. */
export type Accepted = Admitted;

/** One task, one send, and nothing else while the queues answer, if it is plain. */
export async function acceptTask(runtime: Runtime, task: NewTask): Promise<Accepted> {
  if (!isPlain(task)) return (await acceptTasks(runtime, [task]))[0] ?? false;
  const message = newTaskMessage(task);
  const sent = await sendToAnyShard(
    runtime,
    (shard) => runtime.config.queues[shard]?.send(message, { contentType: 'json' }),
    [task],
  );
  if (sent && !runtime.config.recordsAtAccept) return true;
  return record(runtime, [task], sent);
}

/** Many tasks, in as few sends as the platform allows; answers in the order of `tasks`. */
export async function acceptTasks(runtime: Runtime, tasks: readonly NewTask[]): Promise<Accepted[]> {
  const grouped = tasks.filter(({ group }) => group !== undefined);
  if (grouped.length === 0) return acceptUngrouped(runtime, tasks);
  const [admitted, accepted] = await Promise.all([
    acceptGrouped(runtime, grouped),
    acceptUngrouped(
      runtime,
      tasks.filter(({ group }) => group === undefined),
    ),
  ]);
  const rest = accepted.values();
  return tasks.map((task) => (task.group === undefined ? (rest.next().value ?? false) : (admitted.get(task) ?? false)));
}

/**
 * Tasks of groups are counted in their row, which comes first and carries them (rule R1); then their messages are sent. So
 * a group knows of each of its tasks before anybody can end it, and one that is closed takes no more.
 */
async function acceptGrouped(runtime: Runtime, tasks: readonly NewTask[]): Promise<ReadonlyMap<NewTask, Accepted>> {
  const now = Date.now();
  const admitted = await admitToGroups(
    runtime,
    tasks.map((task) => withGrace(task, now)),
  );
  const entered = tasks.filter(({ id }) => admitted.get(id) === true);
  // A message that is not sent now is the sweeper's.
  await Promise.all(
    chunkTasks(entered.filter((task) => delayMs(task, now) <= MAX_QUEUE_DELAY_MS)).map((chunk) =>
      sendChunk(runtime, chunk, now),
    ),
  );
  return new Map(tasks.map((task) => [task, admitted.get(task.id) ?? false]));
}

/** When its wake-up counts as lost, or can be sent. */
function withGrace(task: NewTask, now: number): NewTask & { readonly dueAt: number } {
  const { dueAt = (task.runAt ?? now) + graceMs(0) } = delayMs(task, now) > MAX_QUEUE_DELAY_MS ? withDueAt(task) : {};
  return { ...task, dueAt: Math.min(dueAt, task.deadlineAt) };
}

async function sendChunk(runtime: Runtime, chunk: readonly NewTask[], now: number): Promise<boolean> {
  const messages = chunk.map((task) => ({
    body: newTaskMessage(task),
    contentType: 'json' as const,
    ...(task.runAt !== undefined && { delaySeconds: Math.ceil(delayMs(task, now) / 1000) }),
  }));
  return sendToAnyShard(runtime, (shard) => runtime.config.queues[shard]?.sendBatch(messages), chunk);
}

async function acceptUngrouped(runtime: Runtime, tasks: readonly NewTask[]): Promise<boolean[]> {
  const now = Date.now();
  const distant = new Set(tasks.filter((task) => delayMs(task, now) > MAX_QUEUE_DELAY_MS));
  const chunks = chunkTasks(tasks.filter((task) => !distant.has(task)));
  const isSent = await Promise.all(chunks.map((chunk) => sendChunk(runtime, chunk, now)));
  const carried = chunks.filter((_, index) => isSent[index]).flat();
  if (!runtime.config.recordsAtAccept && carried.length === tasks.length && tasks.every(isPlain)) {
    return tasks.map(() => true);
  }
  const unsent = chunks.filter((_, index) => !isSent[index]).flat();
  const later = carried.filter(({ runAt }) => runAt !== undefined);
  const atOnce = carried.filter(({ runAt }) => runAt === undefined);
  const stored = atOnce.filter(isStored);
  const [rescued, recorded, noted, storedRecorded] = await Promise.all([
    record(runtime, [...unsent, ...[...distant].map(withDueAt)], false),
    !runtime.config.recordsAtAccept || record(runtime, atOnce, true),
    record(runtime, later, true),
    runtime.config.recordsAtAccept || record(runtime, stored, true),
  ]);
  // Its message carries a task that starts later too; its row only shows it.
  const laterAccepted = noted || !runtime.config.recordsAtAccept;
  const sent = new Set(carried);
  return tasks.map((task) => {
    if (!sent.has(task)) return rescued;
    if (isStored(task)) return recorded && noted && storedRecorded;
    return task.runAt === undefined ? recorded : laterAccepted;
  });
}

/** It needs its message and nothing else. */
function isPlain(task: NewTask): boolean {
  return task.runAt === undefined && task.group === undefined && !isStored(task);
}

/** Its row is written at once: a payload in the bucket that no row leads to is an orphan, and deleted. */
function isStored({ request }: NewTask): boolean {
  return request.storedBody !== undefined;
}

function delayMs({ runAt }: NewTask, now: number): number {
  return runAt === undefined ? 0 : Math.max(0, runAt - now);
}

/** Longer than a queue delays: the row carries it, until the sweeper can send it. */
function withDueAt(task: NewTask): NewTask & { readonly dueAt?: number } {
  return task.runAt === undefined ? task : { ...task, dueAt: task.runAt - MAX_QUEUE_DELAY_MS };
}

type Send = (
  shard: number,
) =>
  | Promise<{ readonly metadata: { readonly metrics: Pick<QueueMetrics, 'backlogCount' | 'backlogBytes'> } }>
  | undefined;

/** Tries each shard at most once, those that hold the tasks' keys first, the least loaded of them first. */
async function sendToAnyShard(runtime: Runtime, send: Send, tasks: readonly NewTask[]): Promise<boolean> {
  const { shardNews, config } = runtime;
  const messages = tasks.length;
  const all = [...config.queues.keys()];
  const preferred = shardsWithKeys(runtime, tasks, all);
  let candidates = preferred;
  let others = preferred === all ? [] : all.filter((shard) => !preferred.includes(shard));
  while (candidates.length > 0 || others.length > 0) {
    if (candidates.length === 0) [candidates, others] = [others, []];
    const shard = chooseShard(shardNews, candidates, Date.now(), Math.random);
    // Until the queue answers, count what is on its way, so that parallel sends spread.
    const known = shardNews[shard];
    if (known !== undefined) shardNews[shard] = { ...known, backlog: known.backlog + messages };
    try {
      const answer = await send(shard);
      // A local queue, or an older runtime, may answer without metrics.
      const { backlogCount: backlog = 0, backlogBytes: bytes = 0 } = answer?.metadata?.metrics ?? {};
      shardNews[shard] = { backlog, bytes, at: Date.now() };
      return true;
    } catch (error) {
      shardNews[shard] = { backlog: Number.POSITIVE_INFINITY, at: Date.now() };
      logError('queue.send.failed', { shard }, error);
      candidates = candidates.filter((candidate) => candidate !== shard);
    }
  }
  return false;
}

/** Those of `all` that hold keys for all of the tasks, or all. */
function shardsWithKeys({ services, config }: Runtime, tasks: readonly NewTask[], all: number[]): number[] {
  let fitting = all;
  for (const service of new Set(tasks.map((task) => task.service))) {
    const shards = shardsForService(services.all, config.keyShards, service);
    if (shards !== undefined) fitting = fitting.filter((shard) => shards.includes(shard));
  }
  return fitting.length > 0 ? fitting : all;
}

/** @param carried false when no message carries the tasks: then the row itself is due now */
async function record(
  runtime: Runtime,
  tasks: readonly (NewTask & { readonly dueAt?: number })[],
  carried: boolean,
): Promise<boolean> {
  if (tasks.length === 0) return true;
  try {
    const dueAt = carried ? undefined : Date.now();
    const groups = runtime.config.stores.group(tasks, ({ id }) => id);
    await Promise.all(groups.map(({ db, items }) => recordAccepted(db, items, dueAt)));
    return true;
  } catch (error) {
    logError('accept.record.failed', { tasks: tasks.length }, error);
    return false;
  }
}
