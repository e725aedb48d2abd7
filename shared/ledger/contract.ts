/**
 * What a consumer and the callback Worker say to each other. The ledger is the record of all tasks:
 * a consumer claims from it before it calls a backend and settles into it afterwards.
 *
 * A conversation is one RPC session: `open()` is one Worker invocation, and every call on the object
 * it returns belongs to it, so a batch may settle as often as it likes within the platform's limit
 * of 32 invocations a request.
 */
import * as z from 'zod';
import { NewTaskSchema } from '../message/task-message.ts';
import type { RegistrySession } from '../registry/routing.ts';
import { AttemptRecordSchema, TaskErrorSchema } from '../task/attempt.ts';
import { ContentSchema } from '../task/content.ts';
import type { Disposition } from '../task/disposition.ts';
import { DEFERRAL_REASONS, type StateOf } from '../task/state.ts';
import type { TaskStatus } from '../task/status.ts';
import { StoredBodySchema } from '../task/stored-body.ts';
import { LineSchema } from './line.ts';

const runningState = z.object({
  status: z.literal('running'),
  run: z.number().int(),
  deferrals: z.number().int(),
  attemptsOffset: z.number().int(),
  policy: NewTaskSchema.shape.policy,
  deadlineAt: z.number(),
  leaseUntil: z.number(),
});

/** A request as its row keeps it; an older release sends it as one JSON text. */
const claimedRequest = {
  request: z.union([z.looseObject({}), z.string()]),
  body: z.string().optional(),
};

export const ClaimSchema = z.object({
  id: NewTaskSchema.shape.id,
  /** How long the run may take in all, milliseconds. */
  leaseMs: z.number().int().positive(),
  /** Everything about the task, unless the message was only a wake-up. */
  task: NewTaskSchema.omit({ id: true, request: true }).extend(claimedRequest).optional(),
});
export type Claim = z.infer<typeof ClaimSchema>;

/** Elements of arrays are read one by one (`parseEach`). */
export const ClaimBatchSchema = z.object({
  /** One per batch: the same nonce gets the same answer (rule R13). */
  nonce: z.string().min(16),
  /** Nobody reads an answer after this, Unix ms; absent from a consumer of an earlier release. */
  awaitedUntil: z.number().optional(),
  claims: z.array(z.unknown()),
  /** How long messages of new tasks were in the queue, for statistics. */
  delivered: z.object({ shard: z.string(), ms: z.array(z.number()) }).optional(),
});

export interface ClaimBatch {
  readonly nonce: string;
  readonly awaitedUntil?: number | undefined;
  readonly claims: readonly Claim[];
  readonly delivered?: { readonly shard: string; readonly ms: readonly number[] } | undefined;
}

/** A task that the consumer now holds. */
export interface Grant {
  readonly id: string;
  readonly granted: true;
  readonly state: StateOf<'running'>;
  /** Which the message may not know: the task may have fallen back. A ledger of an older release does not say it. */
  readonly service?: string;
  /** The token with which the backend may call back for this run. */
  readonly callbackToken: string;
  /** The request as JSON, when the message was only a wake-up. */
  readonly request: string | undefined;
}

/** A task that the consumer may not run, and what becomes of its message. */
export interface Denial {
  readonly id: string;
  readonly granted: false;
  /** `absent`: there is no such task any more. `unreadable`: its claim or its row cannot be read, only this one. */
  readonly status: TaskStatus | 'absent' | 'unreadable';
  readonly disposition: Disposition;
}

export const SettlementSchema = z.object({
  id: NewTaskSchema.shape.id,
  /** The state that the claim granted. */
  state: runningState,
  event: z.discriminatedUnion('type', [
    z.object({ type: z.literal('succeed'), at: z.number(), run: z.number().int() }),
    z.object({
      type: z.literal('accept'),
      at: z.number(),
      run: z.number().int(),
      callbackTimeoutMs: z.number(),
    }),
    z.object({
      type: z.literal('defer'),
      at: z.number(),
      run: z.number().int(),
      reason: z.enum(DEFERRAL_REASONS),
      delayMs: z.number(),
      /** `isAgain`: it stood in this line, was released, and found no room. `isBehind`: a few go before it now. */
      park: z
        .object({ line: LineSchema, isAgain: z.boolean().optional(), isBehind: z.boolean().optional() })
        .optional(),
    }),
    z.object({
      type: z.literal('fail'),
      at: z.number(),
      run: z.number().int(),
      retryable: z.boolean(),
      delayMs: z.number(),
    }),
  ]),
  /** The result of a success. */
  result: ContentSchema.optional(),
  /** Or where it lies, when it is too large for a row. */
  storedResult: StoredBodySchema.optional(),
  /** Of a failed attempt: the service that takes the task when no other attempt is left, or at once. */
  fallback: z.object({ from: z.string().optional(), service: z.string(), atOnce: z.boolean() }).optional(),
  /** What a terminal failure is reported as. */
  error: TaskErrorSchema.optional(),
  /** Of an accepted task: the registered server that works on it, to be told of a cancellation. */
  server: z.string().max(64).optional(),
  /** What is kept of an attempt that did not succeed. */
  record: AttemptRecordSchema.optional(),
});
export type Settlement = z.infer<typeof SettlementSchema>;

/** Where the task stands after the settle, and so what becomes of its message. */
export interface Settled {
  readonly id: string;
  /** `unreadable`: this settlement cannot be read; the task runs again after its lease. */
  readonly status: TaskStatus | 'absent' | 'unreadable';
  readonly disposition: Disposition;
}

/** Which tasks a batch may run, and what came of them. */
export interface ClaimSession {
  /**
   * Answers the claims, in any order; those that cannot be read, or whose store does not answer, are left out. Rejects when no
   * store answers. Nothing is lost either way.
   */
  claim(batch: ClaimBatch): Promise<(Grant | Denial)[]>;
  /** Records outcomes; safe to repeat. What is left out of the answer, or rejected, is not recorded for certain. */
  settle(settlements: Settlement[]): Promise<Settled[]>;
  /** Which of these tasks have been cancelled meanwhile. */
  cancelledAmong(ids: string[]): Promise<string[]>;
}

/** One consumer batch's conversation with the ledger: each part of the batch knows only its own part of it. */
export interface LedgerSession extends ClaimSession, RegistrySession {}
