/** `PUT /api/task/:id`: the backend's word on the attempt whose token it holds. */
import { createRoute } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { newResultKey } from '../../shared/bodies/object-key.ts';
import { readReportToken } from '../../shared/key/report-token.ts';
import { TASK_ID_PATTERN } from '../../shared/task/id.ts';
import { refuse, unauthenticated } from '../answer/answer.ts';
import type { App, AppEnv } from '../app.ts';
import { mayReport, type Reporting, reportLarge, reportStored, reportUploaded } from '../bodies/large-result.ts';
import { storeContent } from '../bodies/store-content.ts';
import { taskNotFound } from '../caller/ownership.ts';
import { refuseToken } from '../caller/wrong-token.ts';
import { bearerToken } from '../edge/presented-token.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { bodyLimit } from '../json/inline-content.ts';
import { type LargeJson, notAsText, typedBody } from '../json/large-json.ts';
import type { LargeValue } from '../json/large-value.ts';
import { tellCallback } from '../otlp/callback-span.ts';
import { type ReadReport, reportOf } from '../reports/report.ts';
import { bodyWithoutSecrets, packedResult, withoutSecrets } from '../reports/reported-secrets.ts';
import type { Runtime } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { ReportAnswerSchema, type TaskReport, TaskReportSchema } from '../schema/report.ts';
import { TaskParamsSchema } from '../schema/task.ts';
import { answerReport } from '../upstream/ledger-answer.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

/** Well above what attempts' tokens need. */
const MAX_TOKEN_CHARS = 512;

/** Only that a token is there: what it is worth is known by the callback Worker. */
export const carriesToken: MiddlewareHandler<AppEnv> = async (c, next) => {
  const token = bearerToken(c.get('headers'));
  if (token !== undefined && token.length <= MAX_TOKEN_CHARS) return next();
  const detail = "Send the attempt's token: `Authorization: Bearer <Task-Callback-Token>`.";
  return token === undefined ? unauthenticated(detail, false) : refuseToken(c, detail);
};

/** Taken only from who may report it, and looked through on its way. */
const LARGE_RESULT: LargeJson = {
  members: { result: false, resultBase64: true },
  async place(c) {
    const { config } = c.env.runtime;
    const { bodies: bucket } = config;
    const id = c.req.param('id') ?? '';
    const { token, holder } = readReportToken(bearerToken(c.get('headers')) ?? '');
    if (!TASK_ID_PATTERN.test(id) || bucket === undefined) return taskNotFound();
    const may = await mayReport(c.env.runtime, { id, token });
    if (may === UNAVAILABLE || !may.ok) return answerReport(c, id, may);
    const clean = async (body: ReadableStream<Uint8Array>, type: string) => {
      const cleaned = await bodyWithoutSecrets(config, holder, token, { type, body });
      if (cleaned === UNAVAILABLE) throw new Error('the consumer that holds the secrets does not answer');
      return cleaned.body;
    };
    return { bucket, key: newResultKey(id), id, clean };
  },
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
  middleware: [carriesToken, readsJson(MAX_TASK_BODY_BYTES, [['result']], LARGE_RESULT)],
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
    const { runtime } = c.env;
    const startedAt = Date.now();
    const { id } = c.req.valid('param');
    const { token, holder } = readReportToken(bearerToken(c.get('headers')) ?? '');
    if (!TASK_ID_PATTERN.test(id)) return taskNotFound();
    const read = reportOf(c.req.valid('json'), bodyLimit(runtime.config.bodies));
    if (!read.ok) return refuse(read.refusal.code, read.refusal.details);
    const large = c.get('large');
    const reporting = { id, token, holder };
    const answer =
      large === undefined
        ? await answerReport(c, id, await taken(runtime, reporting, read))
        : await answerLarge(c, reporting, large, c.req.valid('json'));
    if (answer.ok) tellCallback(c, id, 'report' in read ? read.report.status : 'succeeded', startedAt);
    return answer;
  });
}

async function taken(runtime: Runtime, reporting: Reporting, read: Extract<ReadReport, { ok: true }>) {
  const { config } = runtime;
  const { id, token, holder } = reporting;
  if ('upload' in read) return (await reportUploaded(runtime, reporting, read.upload)) ?? noUpload();
  const said = 'report' in read ? read.report : ({ status: 'succeeded', result: read.large } as const);
  const packed = packedResult(holder, said);
  if (packed !== undefined) return refuse('invalid-request', { detail: packed });
  const report = await withoutSecrets(config, holder, token, said);
  if (report === UNAVAILABLE) return UNAVAILABLE;
  const large = 'large' in read && report.status === 'succeeded' ? report.result : undefined;
  const { bodies } = config;
  if (large === undefined || bodies === undefined) {
    return callUpstream('callback', () => config.callback.acceptCallback({ id, token, report }));
  }
  return reportLarge(runtime, reporting, async (key) => ({ ok: true, body: await storeContent(bodies, key, large) }));
}

/** The result lies in the bucket; the rest of the report says what it is. */
async function answerLarge(
  c: Context<AppEnv>,
  reporting: Reporting,
  large: LargeValue,
  report: TaskReport,
): Promise<Response> {
  if (report.status !== 'succeeded') return onlyAlone(large, 'belongs to a success');
  const { result, resultBase64, resultUpload, resultContentType } = report;
  if ((result ?? resultBase64 ?? resultUpload) !== undefined) return onlyAlone(large, 'stands alone; send one result');
  const body = typedBody(large, resultContentType);
  if (body === undefined) {
    const { code, details } = notAsText(large.name);
    return refuse(code, details);
  }
  return answerReport(c, reporting.id, await reportStored(c.env.runtime, reporting, body));
}

function onlyAlone({ name }: LargeValue, reason: string): Response {
  const field = `/${name}`;
  return refuse('invalid-request', { detail: `${field}: ${reason}`, errors: [{ field, reason }] });
}

function noUpload(): Response {
  const field = '/resultUpload';
  const reason = 'is no upload for a result of this task, or is not complete yet';
  return refuse('invalid-request', { detail: `${field}: ${reason}`, errors: [{ field, reason }] });
}
