/** `PUT /api/task/:id`: the backend's word on the attempt whose token it holds. */
import { createRoute } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { readReportToken } from '../../shared/key/report-token.ts';
import type { CallbackReport } from '../../shared/ledger/rpc.ts';
import { TASK_ID_PATTERN } from '../../shared/task/id.ts';
import { answerJson, refuse, unauthenticated } from '../answer.ts';
import type { App, AppEnv } from '../app.ts';
import { bearerToken } from '../authorize.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../body.ts';
import { ledgerUnavailable } from '../ledger-answer.ts';
import { taskNotFound } from '../ownership.ts';
import { reportOf } from '../report.ts';
import { withoutSecrets } from '../reported-secrets.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { ReportAnswerSchema, TaskReportSchema } from '../schema/report.ts';
import { TaskParamsSchema } from '../schema/task.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';
import { refuseToken } from '../wrong-token.ts';

/** Well above what attempts' tokens need. */
const MAX_TOKEN_CHARS = 512;

/** Only that a token is there: what it is worth is known by the callback Worker. */
const carriesToken: MiddlewareHandler<AppEnv> = async (c, next) => {
  const token = bearerToken(c.req.raw);
  if (token !== undefined && token.length <= MAX_TOKEN_CHARS) return next();
  const detail = "Send the attempt's token: `Authorization: Bearer <Task-Callback-Token>`.";
  return token === undefined ? unauthenticated(detail, false) : refuseToken(c, detail);
};

const route = createRoute({
  method: 'put',
  path: '/api/task/{id}',
  operationId: 'reportTask',
  tags: ['backends'],
  summary: 'Report on an attempt',
  description:
    'For backends that answered 202: a result, a failure, or progress, with the token of the attempt ' +
    '(`Task-Callback-Token`). Safe to repeat.',
  middleware: [carriesToken, readsJson(MAX_TASK_BODY_BYTES, [['result']])],
  request: {
    params: TaskParamsSchema,
    body: { required: true, content: { 'application/json': { schema: TaskReportSchema } } },
  },
  responses: answers(
    { 200: jsonAnswer(ReportAnswerSchema, 'Taken, or known already.') },
    'invalid-request',
    'malformed-body',
    'body-too-large',
    'unsupported-media-type',
    'task-not-found',
    'stale-attempt',
    'task-finished',
  ),
});

export function addCallback(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { token, holder } = readReportToken(bearerToken(c.req.raw) ?? '');
    if (!TASK_ID_PATTERN.test(id)) return taskNotFound();
    const read = reportOf(c.req.valid('json'));
    if (!read.ok) return refuse(read.refusal.code, read.refusal.details);
    const { config } = c.env.runtime;
    const clean = await withoutSecrets(config, holder, token, read.report);
    if (clean === UNAVAILABLE) return ledgerUnavailable();
    const report: CallbackReport = { id, token, report: clean };
    const answer = await callUpstream('callback', () => config.callback.acceptCallback(report));
    if (answer === UNAVAILABLE) return ledgerUnavailable();
    if (!answer.ok) {
      const { code, detail } = answer;
      return code === 'unauthenticated' ? refuseToken(c, detail) : refuse(code, { detail });
    }
    return answerJson({ id, status: answer.status, changed: answer.changed });
  });
}
