/**
 * Messages that the platform gave up on. They decide nothing (rule R7): the task gets a row if it
 * has none and a `due_at` if it has none, and the sweeper takes over. While the database is away the
 * message is kept, and copied before the platform would delete it.
 */

import { logError, logWarning } from '../shared/log.ts';
import { deliveryDelayMs, needsFreshCopy } from '../shared/message/delivery.ts';
import { TaskMessageSchema } from '../shared/message/task-message.ts';
import { recordAccepted } from '../shared/store/accept.ts';
import { makeDue } from '../shared/store/carrier.ts';
import type { CallbackEnv } from './env.ts';

export async function takeDeadLetters(env: CallbackEnv, batch: MessageBatch<unknown>, now: number): Promise<void> {
  try {
    const messages = batch.messages.flatMap(({ id, body }) => {
      const parsed = TaskMessageSchema.safeParse(body);
      if (parsed.success) return [parsed.data];
      logError('message.unreadable', { queue: batch.queue, message: id });
      return [];
    });
    await recordAccepted(
      env.db,
      messages.flatMap((message) => (message.kind === 'task' ? [message.task] : [])),
      now,
    );
    await makeDue(
      env.db,
      messages.flatMap((message) =>
        message.kind === 'wake' ? [message.id] : message.kind === 'task' ? [message.task.id] : [],
      ),
      now,
    );
    for (const message of batch.messages) {
      logWarning('message.dead', { message: message.id, attempts: message.attempts });
      message.ack();
    }
  } catch (error) {
    logError('dead-letter.failed', {}, error);
    for (const message of batch.messages) await keep(env, message, now);
  }
}

/** There is no queue behind this one: a message near its last delivery is replaced by a copy. */
async function keep(env: CallbackEnv, message: Message<unknown>, now: number): Promise<void> {
  const delaySeconds = deliveryDelayMs(message.attempts) / 1000;
  if (needsFreshCopy(message.attempts, now - message.timestamp.getTime())) {
    try {
      await env.deadQueue.send(message.body as never, { contentType: 'json', delaySeconds });
      message.ack();
      return;
    } catch (error) {
      logError('copy.failed', { message: message.id }, error);
    }
  }
  message.retry({ delaySeconds });
}
