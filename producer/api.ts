/** The HTTP application: every route of the API and the document that describes it. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { assertEveryRouteHasAccess } from './access.ts';
import type { App, AppEnv } from './app.ts';
import { recordActs } from './edge/audit.ts';
import { requireAccess } from './edge/authorize.ts';
import { allowOrigin, answerPreflights } from './edge/cors.ts';
import { guardErrors, refuseInvalid } from './edge/error-edge.ts';
import { finish } from './edge/finish.ts';
import { guard } from './edge/guards.ts';
import { cutCircles } from './edge/hops.ts';
import { declaredParameters, refuseParameters } from './edge/query-parameters.ts';
import { nameProblem } from './edge/request-id.ts';
import { limitRequests } from './edge/request-limits.ts';
import { QuickRouter } from './edge/router.ts';
import { addAlerts } from './routes/alerts.ts';
import { addAudit } from './routes/audit.ts';
import { addBalancer } from './routes/balancer.ts';
import { addBatch } from './routes/batch.ts';
import { addBodies } from './routes/bodies.ts';
import { addCallback } from './routes/callback.ts';
import { addCancel } from './routes/cancel.ts';
import { addChecklist } from './routes/checklist.ts';
import { addDocument } from './routes/document.ts';
import { addFlows } from './routes/flows.ts';
import { addGroups } from './routes/groups.ts';
import { addHealth } from './routes/health.ts';
import { addHeartbeats } from './routes/heartbeats.ts';
import { addJobs } from './routes/jobs.ts';
import { addKeys } from './routes/keys.ts';
import { addList } from './routes/list.ts';
import { addMetrics } from './routes/metrics.ts';
import { addPoll } from './routes/poll.ts';
import { addProblems } from './routes/problems.ts';
import { addResultUpload } from './routes/result-upload.ts';
import { addRetry } from './routes/retry.ts';
import { addSchedules } from './routes/schedules.ts';
import { addServers } from './routes/servers.ts';
import { addServices } from './routes/services.ts';
import { addStatistics } from './routes/statistics.ts';
import { addSubmit } from './routes/submit.ts';
import { addSync } from './routes/sync.ts';
import { addTaskBodies } from './routes/task-bodies.ts';
import { addTaskEvents } from './routes/task-events.ts';
import { addTokens } from './routes/tokens.ts';
import { addUploads } from './routes/uploads.ts';
import { addWebhooks } from './routes/webhooks.ts';
import { speakToPackages } from './sync/sdk-error.ts';

/**
 * @param more adds routes that need what a bundler brings
 * @throws Error when a route has no row in the access table
 */
export function createApp(...more: readonly ((app: App) => void)[]): App {
  const app: App = new OpenAPIHono<AppEnv>({ defaultHook: refuseInvalid, router: new QuickRouter() });
  guardErrors(app);
  app.use(finish(recordActs, nameProblem, speakToPackages, allowOrigin));
  const parameters = refuseParameters(() => declaredParameters(app));
  app.use(guard(answerPreflights(app), limitRequests, cutCircles, requireAccess, parameters));
  for (const add of [
    addSubmit,
    addBatch,
    addList,
    addPoll,
    addTaskEvents,
    addTaskBodies,
    addResultUpload,
    addUploads,
    addBodies,
    addCallback,
    addCancel,
    addRetry,
    addSchedules,
    addGroups,
    addJobs,
    addFlows,
  ])
    add(app);
  for (const add of [addHeartbeats, addServers, addServices, addBalancer, addSync, addKeys, addTokens, addWebhooks])
    add(app);
  for (const add of [addStatistics, addMetrics, addAlerts, addChecklist, addAudit, addProblems]) add(app);
  addHealth(app);
  addDocument(app);
  for (const add of more) add(app);
  assertEveryRouteHasAccess(app.routes);
  return app;
}
