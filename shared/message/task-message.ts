/**
 * What travels through the queues. Messages outlive deploys, so they carry a version; a consumer
 * that meets a version it does not know gives the message back for a newer one to take.
 */
import * as z from 'zod';
import { TASK_ID_PATTERN } from '../task/id.ts';
import { TaskRequestSchema } from '../task/request.ts';
import { BoundHookSchema } from '../webhook/hook.ts';

export const MESSAGE_VERSION = 1;

/** Of a kind that came later: a release that does not know it leaves it for one that does. */
const OUTCOME_VERSION = 2;

const taskId = z.string().regex(TASK_ID_PATTERN);

const retryPolicy = z.object({
  maxAttempts: z.number().int().min(1),
  baseSeconds: z.number().min(0),
  capSeconds: z.number().min(0),
});

/** All that is needed to record and run a task: what accept sends. */
export const NewTaskSchema = z.object({
  id: taskId,
  subject: z.string(),
  service: z.string(),
  policy: retryPolicy,
  /** Unix milliseconds. */
  deadlineAt: z.number(),
  /** Its earliest start, Unix milliseconds; at once when absent. */
  runAt: z.number().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  /** The client's own number of it. */
  ref: z.string().optional(),
  /** Of its owner's groups, by name. It has a row before its message is sent. */
  group: z.string().optional(),
  /** Whom its end is told to. */
  onComplete: BoundHookSchema.optional(),
  request: TaskRequestSchema,
});
export type NewTask = z.infer<typeof NewTaskSchema>;

export const TaskMessageSchema = z.discriminatedUnion('kind', [
  z.object({ v: z.literal(MESSAGE_VERSION), kind: z.literal('task'), task: NewTaskSchema }),
  /** Wakes a task whose row holds everything. `line`: in which it stood until now. */
  z.object({
    v: z.literal(MESSAGE_VERSION),
    kind: z.literal('wake'),
    id: taskId,
    service: z.string(),
    line: z.string().optional(),
  }),
  /** Tells the backend that a task it works on was cancelled. */
  z.object({
    v: z.literal(MESSAGE_VERSION),
    kind: z.literal('cancel'),
    id: taskId,
    service: z.string(),
    /** The registered server that works on it, by its id. */
    server: z.string().optional(),
  }),
  /** What a call came to, which the ledger has not taken yet (rule R25). It stands in the place of its task's message. */
  z.object({
    v: z.literal(OUTCOME_VERSION),
    kind: z.literal('outcome'),
    id: taskId,
    service: z.string(),
    run: z.number().int(),
    /** A `Settlement`, read by the ledger. */
    settlement: z.looseObject({}),
  }),
]);
export type TaskMessage = z.infer<typeof TaskMessageSchema>;

export function newTaskMessage(task: NewTask): TaskMessage {
  return { v: MESSAGE_VERSION, kind: 'task', task };
}

export function wakeMessage(id: string, service: string, line?: string): TaskMessage {
  return { v: MESSAGE_VERSION, kind: 'wake', id, service, ...(line !== undefined && { line }) };
}

export function cancelMessage(id: string, service: string, server?: string): TaskMessage {
  return { v: MESSAGE_VERSION, kind: 'cancel', id, service, ...(server !== undefined && { server }) };
}

export function outcomeMessage(
  id: string,
  service: string,
  run: number,
  settlement: Readonly<Record<string, unknown>>,
): TaskMessage {
  return { v: OUTCOME_VERSION, kind: 'outcome', id, service, run, settlement };
}
