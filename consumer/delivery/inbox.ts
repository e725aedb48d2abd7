/**
 * Reads a batch: messages of one task are taken together (rule R10), what this release cannot read is
 * left for one that can: a newer release's messages are kept, what no release wrote goes to the dead
 * letters.
 */
import * as z from 'zod';
import { MESSAGE_VERSION, type TaskMessage, TaskMessageSchema } from '../../shared/message/task-message.ts';
import { safeParseAsIs } from '../../shared/rpc/as-is.ts';

const NewerSchema = z.object({ v: z.number().int().gt(MESSAGE_VERSION) });

/** A message that asks for a task to be run. */
export type WaitingTask = Extract<TaskMessage, { kind: 'task' | 'wake' }>;

/** A message that brings what a call came to. */
export type CarriedOutcome = Extract<TaskMessage, { kind: 'outcome' }>;

export interface Inbox {
  /** All messages of the batch by the key under which their disposition is given. */
  readonly messages: ReadonlyMap<string, readonly Message<unknown>[]>;
  /** One a task: the one that carries the task, when there is one. */
  readonly tasks: ReadonlyMap<string, WaitingTask>;
  readonly cancels: ReadonlyMap<string, Extract<TaskMessage, { kind: 'cancel' }>>;
  /** One a task: that of its latest run. */
  readonly outcomes: ReadonlyMap<string, CarriedOutcome>;
  /** Keys of messages of a newer release. */
  readonly newer: ReadonlySet<string>;
  /** Keys of messages that no release of Tasklane wrote. */
  readonly foreign: ReadonlySet<string>;
}

export function readInbox(batch: readonly Message<unknown>[]): Inbox {
  const messages = new Map<string, Message<unknown>[]>();
  const tasks = new Map<string, WaitingTask>();
  const cancels = new Map<string, Extract<TaskMessage, { kind: 'cancel' }>>();
  const outcomes = new Map<string, CarriedOutcome>();
  const newer = new Set<string>();
  const foreign = new Set<string>();

  for (const message of batch) {
    const parsed = safeParseAsIs(TaskMessageSchema, message.body);
    const key = parsed.success ? keyOf(parsed.data) : `message ${message.id}`;
    const same = messages.get(key);
    if (same === undefined) messages.set(key, [message]);
    else same.push(message);

    if (!parsed.success) (isNewer(message.body) ? newer : foreign).add(key);
    else if (parsed.data.kind === 'cancel') cancels.set(key, parsed.data);
    else if (parsed.data.kind === 'outcome') {
      if (parsed.data.run >= (outcomes.get(key)?.run ?? 0)) outcomes.set(key, parsed.data);
    } else if (parsed.data.kind === 'task' || !tasks.has(key)) tasks.set(key, parsed.data);
  }
  return { messages, tasks, cancels, outcomes, newer, foreign };
}

/** How long messages of new tasks were in the queue, ms. Those that come again, or were to come later, say nothing of it. */
export function deliveryTimes({ messages, tasks }: Inbox, now: number): number[] {
  return [...tasks].flatMap(([key, task]) => {
    const [message] = messages.get(key) ?? [];
    if (message === undefined || task.kind !== 'task' || message.attempts > 1 || task.task.runAt !== undefined)
      return [];
    return [Math.max(0, now - message.timestamp.getTime())];
  });
}

/** When the message came to its queue, Unix ms. */
export function sentAt({ messages }: Inbox, key: string): number {
  return messages.get(key)?.[0]?.timestamp.getTime() ?? 0;
}

function isNewer(body: unknown): boolean {
  return NewerSchema.safeParse(body).success;
}

/** The task's id; a cancellation and an outcome are matters of their own. */
function keyOf(message: TaskMessage): string {
  switch (message.kind) {
    case 'task':
      return message.task.id;
    case 'wake':
      return message.id;
    case 'cancel':
      return `cancel ${message.id}`;
    case 'outcome':
      return `outcome ${message.id}`;
  }
}
