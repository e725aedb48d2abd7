/** `GET /api/audit`: who changed what, newest first. */
import { createRoute } from '@hono/zod-openapi';
import { type AuditRow, listActs } from '../../shared/store/audit.ts';
import { answerJson, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { AuditQuerySchema, AuditSchema } from '../schema/audit.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const route = createRoute({
  method: 'get',
  path: '/api/audit',
  operationId: 'listActs',
  tags: ['audit'],
  summary: 'See who changed what',
  description:
    'Acts on what belongs to everybody or to somebody else; what clients do to their own tasks is not among them.',
  request: { query: AuditQuerySchema },
  responses: answers({ 200: jsonAnswer(AuditSchema, 'A page of acts.') }, 'invalid-request'),
});

export function addAudit(app: App): void {
  app.openapi(route, async (c) => {
    const { act, subject, after, before, limit, cursor } = c.req.valid('query');
    const filter = {
      act,
      subject,
      since: after === undefined ? 0 : Date.parse(after),
      // What is done in this millisecond is shown, too.
      until: before === undefined ? Date.now() + 1 : Date.parse(before),
      below: cursor,
      limit,
    };
    const rows = await callUpstream('database', () => listActs(c.env.runtime.config.stores.control, filter));
    if (rows === UNAVAILABLE) return unavailable('The audit cannot be read at the moment.');
    const last = rows.length < limit ? undefined : rows.at(-1);
    return answerJson({ acts: rows.map(actDocument), nextCursor: last?.id ?? null });
  });
}

function actDocument({ id, at, subject, role, act, target, count, before, after, request_id }: AuditRow) {
  return {
    id,
    at: new Date(at).toISOString(),
    subject,
    role,
    act,
    target,
    count,
    ...(before !== null && { before: JSON.parse(before) as unknown }),
    ...(after !== null && { after: JSON.parse(after) as unknown }),
    requestId: request_id,
  };
}
