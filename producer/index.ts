/** The producer Worker: the clients' side of Tasklane. It accepts tasks into queues and answers polls from D1. */
import { MisconfiguredError } from '../shared/env.ts';
import { logError } from '../shared/log.ts';
import { evaluateAlerts } from './alerts/evaluate.ts';
import { createApp } from './api.ts';
import { pushMetrics } from './otlp/metrics.ts';
import { addDashboard } from './routes/dashboard.ts';
import { addDocs } from './routes/docs.ts';
import { runtimeOf } from './runtime.ts';
import { runDueSchedules } from './schedules/run-due.ts';
import { serve } from './serve.ts';

const app = createApp(addDocs, addDashboard);

export default {
  fetch: (request: Request, env: object, context: ExecutionContext) => serve(app, request, env, context),

  async scheduled(_controller: ScheduledController, env: object): Promise<void> {
    const runtime = runtimeOf(env);
    if (runtime instanceof MisconfiguredError) throw runtime;
    const now = Date.now();
    const rounds = [runDueSchedules(runtime, now), evaluateAlerts(runtime, now), pushMetrics(runtime, now)];
    const failed = (await Promise.allSettled(rounds)).filter(({ status }) => status === 'rejected');
    for (const { reason } of failed as PromiseRejectedResult[]) logError('round.failed', {}, reason);
  },
};
