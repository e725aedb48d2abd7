/**
 * Sending wake-ups. Whoever wakes a task without holding its message has first written its row with
 * a `due_at` (rule R1), so a send that fails costs time, never the task.
 */
import { cancelMessage, type TaskMessage, wakeMessage } from '../shared/message/task-message.ts';
import type { ShardQueue } from './env.ts';

/** The platform's limit for one `sendBatch`. */
const MAX_BATCH_MESSAGES = 100;

export interface Wake {
  readonly id: string;
  readonly service: string;
  readonly delayMs: number;
  /** In which it stood: whoever owns that capacity learns that the line stands. */
  readonly line?: string | undefined;
}

type Queues = readonly ShardQueue[];

/** @param among shards whose queues take them, where there is such a shard; otherwise any */
export async function sendWakes(queues: Queues, wakes: readonly Wake[], among?: readonly number[]): Promise<void> {
  for (let at = 0; at < wakes.length; at += MAX_BATCH_MESSAGES) {
    const messages = wakes.slice(at, at + MAX_BATCH_MESSAGES).map(({ id, service, delayMs, line }) => ({
      body: wakeMessage(id, service, line),
      contentType: 'json' as const,
      // A task that is past its deadline is woken at once; the platform refuses a negative delay.
      delaySeconds: Math.max(0, Math.ceil(delayMs / 1000)),
    }));
    await sendToAny(queues, (queue) => queue.sendBatch(messages), among);
  }
}

/** Tells whoever runs the task's service that its backend may stop. */
export async function sendCancel(queues: Queues, id: string, service: string, server?: string): Promise<void> {
  await sendToAny(queues, (queue) => queue.send(cancelMessage(id, service, server), { contentType: 'json' }));
}

export interface CancelledTask {
  readonly id: string;
  readonly service: string;
  /** The registered server that works on it. */
  readonly server: string | null;
}

/** The same for many. */
export async function sendCancels(queues: Queues, cancelled: readonly CancelledTask[]): Promise<void> {
  for (let at = 0; at < cancelled.length; at += MAX_BATCH_MESSAGES) {
    const messages = cancelled.slice(at, at + MAX_BATCH_MESSAGES).map(({ id, service, server }) => ({
      body: cancelMessage(id, service, server ?? undefined),
      contentType: 'json' as const,
    }));
    await sendToAny(queues, (queue) => queue.sendBatch(messages));
  }
}

/** Starts at one of the wanted shards, or any, and goes on to the next when one refuses. */
async function sendToAny(
  queues: Queues,
  send: (queue: Queue<TaskMessage>) => Promise<unknown>,
  wanted: readonly number[] = [],
): Promise<void> {
  const known = [...queues.keys()].filter((index) => wanted.includes(queues[index]?.shard ?? -1));
  const among = known.length > 0 ? known : [...queues.keys()];
  const start = among[Math.floor(Math.random() * among.length)] ?? 0;
  let cause: unknown;
  for (let offset = 0; offset < queues.length; offset++) {
    const next = queues[(start + offset) % queues.length];
    if (next === undefined) continue;
    try {
      await send(next.queue);
      return;
    } catch (error) {
      cause = error;
    }
  }
  throw new Error('no task queue took the wake-ups', { cause });
}
