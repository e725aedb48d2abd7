/**
 * Reads a batch: messages of one task are taken together (rule R10), what this release cannot read is
 * left for one that can: a newer release's messages are kept, what no release wrote goes to the dead
 * letters.
 */
import * as z from 'zod';
import { MESSAGE_VERSION, type TaskMessage, TaskMessageSchema } from '../../shared/message/task-message.ts';

const NewerSchema = z.object({ v: z.number().int().gt(MESSAGE_VERSION) });

/** A message that asks for a task to be run. */
export type WaitingTask = Exclude<TaskMessage, { kind: 'cancel' }>;

export interface Inbox {
  /** All messages of the batch by the key under which their disposition is given. */
  readonly messages: ReadonlyMap<string, readonly Message<unknown>[]>;
  /** One a task: the one that carries the task, when there is one. */
  readonly tasks: ReadonlyMap<string, WaitingTask>;
  readonly cancels: ReadonlyMap<string, Extract<TaskMessage, { kind: 'cancel' }>>;
  /** Keys of messages of a newer release. */
  readonly newer: ReadonlySet<string>;
  /** Keys of messages that no release of Tasklane wrote. */
  readonly foreign: ReadonlySet<string>;
}

export function readInbox(batch: readonly Message<unknown>[]): Inbox {
  const messages = new Map<string, Message<unknown>[]>();
  const tasks = new Map<string, WaitingTask>();
  const cancels = new Map<string, Extract<TaskMessage, { kind: 'cancel' }>>();
  const newer = new Set<string>();
  const foreign = new Set<string>();

  for (const message of batch) {
    const parsed = TaskMessageSchema.safeParse(message.body);
    const key = parsed.success ? keyOf(parsed.data) : `message ${message.id}`;
    const same = messages.get(key);
    if (same === undefined) messages.set(key, [message]);
    else same.push(message);

    if (!parsed.success) (isNewer(message.body) ? newer : foreign).add(key);
    else if (parsed.data.kind === 'cancel') cancels.set(key, parsed.data);
    else if (parsed.data.kind === 'task' || !tasks.has(key)) tasks.set(key, parsed.data);
  }
  return { messages, tasks, cancels, newer, foreign };
}

function isNewer(body: unknown): boolean {
  return NewerSchema.safeParse(body).success;
}

/** The task's id; a cancellation is a matter of its own. */
function keyOf(message: TaskMessage): string {
  switch (message.kind) {
    case 'task':
      return message.task.id;
    case 'wake':
      return message.id;
    case 'cancel':
      return `cancel ${message.id}`;
  }
}
