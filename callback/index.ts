/**
 * The callback Worker: the ledger of all tasks and the only writer of outcomes. It has no public
 * address; consumers and the producer reach it by RPC, the platform by cron and the dead-letter queue.
 */
import { WorkerEntrypoint } from 'cloudflare:workers';
import * as z from 'zod';
import type { StartRate } from '../shared/job/job.ts';
import {
  type BackendLink,
  BackendLinkSchema,
  type CallbackReport,
  CallbackReportSchema,
  type CancelRequest,
  CancelRequestSchema,
  type GroupRequest,
  GroupRequestSchema,
  type LedgerAnswer,
  type Reporter,
  ReporterSchema,
  type RetryRequest,
  RetryRequestSchema,
  type CallbackRpc as Rpc,
} from '../shared/ledger/rpc.ts';
import { logInfo } from '../shared/log.ts';
import { problemResponse } from '../shared/problem/problem.ts';
import { ServiceNameSchema } from '../shared/registry/registration.ts';
import type { GroupRow } from '../shared/store/groups.ts';
import { readEnv } from './env.ts';
import { changeGroup } from './groups.ts';
import { ratesOfServices } from './jobs/rates.ts';
import { JOBS_A_ROUND, JOBS_AT_ONCE, runJobs } from './jobs/run.ts';
import { takeDeadLetters } from './sweep/dead-letter.ts';
import { sweep } from './sweep/sweep.ts';
import { acceptCallback, cancelTask, isBackendLink, mayReport, retryTask } from './task-requests.ts';

export { Ledger } from './ledger.ts';
export { RegistryRpc } from './registry/registry-rpc.ts';
export { ServerRegistry } from './registry/server-registry.ts';

const ServiceNamesSchema = z.array(ServiceNameSchema);

export class CallbackRpc extends WorkerEntrypoint implements Rpc {
  async cancelTask(request: CancelRequest): Promise<LedgerAnswer> {
    return cancelTask(await readEnv(this.env as object), CancelRequestSchema.parse(request), Date.now());
  }

  async retryTask(request: RetryRequest): Promise<LedgerAnswer> {
    return retryTask(await readEnv(this.env as object), RetryRequestSchema.parse(request), Date.now());
  }

  async reportSecrets() {
    const { secretReport, hasPreviousSecret } = await readEnv(this.env as object);
    return { secrets: [secretReport], previous: hasPreviousSecret ? ['CALLBACK_SECRET_PREVIOUS'] : [] };
  }

  async runJobs(): Promise<void> {
    await runJobs(await readEnv(this.env as object), JOBS_AT_ONCE, Date.now);
  }

  async serviceRates(services: readonly string[]): Promise<Map<string, StartRate>> {
    return ratesOfServices(await readEnv(this.env as object), ServiceNamesSchema.parse(services), Date.now());
  }

  async changeGroup(request: GroupRequest): Promise<GroupRow | undefined> {
    return changeGroup(await readEnv(this.env as object), GroupRequestSchema.parse(request), Date.now());
  }

  async acceptCallback(report: CallbackReport): Promise<LedgerAnswer> {
    return acceptCallback(
      await readEnv(this.env as object),
      CallbackReportSchema.parse(report),
      Date.now(),
      Math.random(),
    );
  }

  async mayReport(reporter: Reporter): Promise<LedgerAnswer> {
    return mayReport(await readEnv(this.env as object), ReporterSchema.parse(reporter), Date.now());
  }

  async isBackendLink(link: BackendLink): Promise<boolean> {
    return isBackendLink(await readEnv(this.env as object), BackendLinkSchema.parse(link));
  }
}

export default {
  fetch: () => problemResponse('not-found', { detail: 'This Worker is reached through the producer.' }),

  async queue(batch: MessageBatch<unknown>, env: object): Promise<void> {
    await takeDeadLetters(await readEnv(env), batch, Date.now());
  },

  async scheduled(_controller: ScheduledController, env: object): Promise<void> {
    const parsed = await readEnv(env);
    const report = await sweep(parsed, Date.now());
    if (Object.values(report).some((count) => count > 0)) logInfo('sweep.done', { ...report });
    await runJobs(parsed, JOBS_A_ROUND, Date.now);
  },
} satisfies ExportedHandler<object>;
