/**
 * The callback Worker: the ledger of all tasks and the only writer of outcomes. It has no public
 * address; consumers and the producer reach it by RPC, the platform by cron and the dead-letter queue.
 */
import { WorkerEntrypoint } from 'cloudflare:workers';
import {
  type CallbackReport,
  CallbackReportSchema,
  type CancelRequest,
  CancelRequestSchema,
  type CallbackDoor as Door,
  type DoorAnswer,
  type RetryRequest,
  RetryRequestSchema,
} from '../shared/ledger/door.ts';
import { logInfo } from '../shared/log.ts';
import { problemResponse } from '../shared/problem/problem.ts';
import { takeDeadLetters } from './dead-letter.ts';
import { acceptCallback, cancelTask, retryTask } from './door.ts';
import { readEnv } from './env.ts';
import { sweep } from './sweep.ts';

export { Ledger } from './ledger.ts';
export { RegistryDoor } from './registry/registry-door.ts';
export { ServerRegistry } from './registry/server-registry.ts';

export class CallbackDoor extends WorkerEntrypoint implements Door {
  async cancelTask(request: CancelRequest): Promise<DoorAnswer> {
    return cancelTask(await readEnv(this.env as object), CancelRequestSchema.parse(request), Date.now());
  }

  async retryTask(request: RetryRequest): Promise<DoorAnswer> {
    return retryTask(await readEnv(this.env as object), RetryRequestSchema.parse(request), Date.now());
  }

  async acceptCallback(report: CallbackReport): Promise<DoorAnswer> {
    return acceptCallback(
      await readEnv(this.env as object),
      CallbackReportSchema.parse(report),
      Date.now(),
      Math.random(),
    );
  }
}

export default {
  fetch: () => problemResponse('not-found', { detail: 'This Worker is reached through the producer.' }),

  async queue(batch: MessageBatch<unknown>, env: object): Promise<void> {
    await takeDeadLetters(await readEnv(env), batch, Date.now());
  },

  async scheduled(_controller: ScheduledController, env: object): Promise<void> {
    const report = await sweep(await readEnv(env), Date.now());
    if (Object.values(report).some((count) => count > 0)) logInfo('sweep.done', { ...report });
  },
} satisfies ExportedHandler<object>;
