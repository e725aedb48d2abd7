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
  type LedgerAnswer,
  type RetryRequest,
  RetryRequestSchema,
  type CallbackRpc as Rpc,
} from '../shared/ledger/rpc.ts';
import { logInfo } from '../shared/log.ts';
import { problemResponse } from '../shared/problem/problem.ts';
import { takeDeadLetters } from './dead-letter.ts';
import { readEnv } from './env.ts';
import { sweep } from './sweep.ts';
import { acceptCallback, cancelTask, retryTask } from './task-requests.ts';

export { Ledger } from './ledger.ts';
export { RegistryRpc } from './registry/registry-rpc.ts';
export { ServerRegistry } from './registry/server-registry.ts';

export class CallbackRpc extends WorkerEntrypoint implements Rpc {
  async cancelTask(request: CancelRequest): Promise<LedgerAnswer> {
    return cancelTask(await readEnv(this.env as object), CancelRequestSchema.parse(request), Date.now());
  }

  async retryTask(request: RetryRequest): Promise<LedgerAnswer> {
    return retryTask(await readEnv(this.env as object), RetryRequestSchema.parse(request), Date.now());
  }

  async acceptCallback(report: CallbackReport): Promise<LedgerAnswer> {
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
