/**
 * Messages that the platform gave up on. They decide nothing (rule R7): the task gets a row if it
 * has none and a `due_at` if it has none, and the sweeper takes over. They are taken at their second delivery: a claim that
 * was on its way when the platform gave up would take the `due_at` with the task, for nobody. While the database is away the
 * message is kept, and copied before the platform would delete it.
 */
import { logError, logWarning } from '../../shared/log.ts';
import { deliveryDelayMs, needsFreshCopy } from '../../shared/message/delivery.ts';
import { type TaskMessage, TaskMessageSchema } from '../../shared/message/task-message.ts';
import { hourOf } from '../../shared/statistics/tally.ts';
import { recordAccepted } from '../../shared/store/accept.ts';
import { noteDeadLetters } from '../../shared/store/alerts.ts';
import { makeDue } from '../../shared/store/carrier.ts';
import { LATE_CLAIM_MS } from '../../shared/task/disposition.ts';
import { storeOfTask } from '../../shared/task/id.ts';
import type { CallbackEnv } from '../env.ts';

/** What nobody can read stays for its queue's retention, in sight of the log, and is then deleted. */
const UNREADABLE_DELAY_SECONDS = 3600;

interface DeadLetter {
  readonly message: Message<unknown>;
  readonly body: TaskMessage;
}

export async function takeDeadLetters(env: CallbackEnv, batch: MessageBatch<unknown>, now: number): Promise<void> {
  const fresh = batch.messages.filter(isFresh);
  await countThem(env, fresh.length, now);
  for (const message of fresh) message.retry({ delaySeconds: LATE_CLAIM_MS / 1000 });
  const letters: DeadLetter[] = [];
  for (const message of batch.messages.filter((each) => !isFresh(each))) {
    const parsed = TaskMessageSchema.safeParse(message.body);
    if (parsed.success) {
      letters.push({ message, body: parsed.data });
    } else {
      logError('message.unreadable', { queue: batch.queue, message: message.id });
      message.retry({ delaySeconds: UNREADABLE_DELAY_SECONDS });
    }
  }
  const byStore = Map.groupBy(letters, ({ body }) => storeOf(body));
  await Promise.all([...byStore].map(([number, group]) => take(env, number, group, now)));
}

function isFresh({ attempts }: Message<unknown>): boolean {
  return attempts === 1;
}

/** Counted at their first delivery, for whoever watches; that they cannot be counted keeps none of them. */
async function countThem({ stores }: Pick<CallbackEnv, 'stores'>, messages: number, now: number): Promise<void> {
  if (messages === 0) return;
  try {
    await noteDeadLetters(stores.control, messages, hourOf(now));
  } catch (error) {
    logWarning('dead-letter.uncounted', { messages, cause: String(error) });
  }
}

/** @param number of the store; undefined: no store need be asked */
async function take(env: CallbackEnv, number: number | undefined, letters: DeadLetter[], now: number): Promise<void> {
  try {
    if (number !== undefined) {
      const db = env.stores.find(number)?.db;
      if (db === undefined) throw new Error(`store ${number} is not bound`);
      await recordAccepted(
        db,
        letters.flatMap(({ body }) => (body.kind === 'task' ? [body.task] : [])),
        now,
      );
      await makeDue(
        db,
        letters.flatMap(({ body }) => taskIdOf(body)),
        now,
      );
    }
    for (const { message, body } of letters) {
      logWarning('message.dead', { id: taskIdOf(body)[0], kind: body.kind, deliveries: message.attempts });
      message.ack();
    }
  } catch (error) {
    logError('dead-letter.failed', { messages: letters.length }, error);
    for (const letter of letters) await keep(env, letter, now);
  }
}

function storeOf(body: TaskMessage): number | undefined {
  const [id] = taskIdOf(body);
  return id === undefined ? undefined : storeOfTask(id);
}

/** A cancellation that could not be told wakes nobody. */
function taskIdOf(body: TaskMessage): string[] {
  switch (body.kind) {
    case 'task':
      return [body.task.id];
    case 'wake':
    case 'outcome':
      return [body.id];
    case 'cancel':
      return [];
  }
}

/** There is no queue behind this one: a message near its last delivery is replaced by a copy. */
async function keep(env: CallbackEnv, { message, body }: DeadLetter, now: number): Promise<void> {
  const delaySeconds = deliveryDelayMs(message.attempts) / 1000;
  if (needsFreshCopy(message.attempts, now - message.timestamp.getTime())) {
    try {
      await env.deadQueue.send(body, { contentType: 'json', delaySeconds });
      message.ack();
      return;
    } catch (error) {
      logError('copy.failed', { message: message.id }, error);
    }
  }
  message.retry({ delaySeconds });
}
