/** `GET /healthz`: whether this deployment is configured to serve. Public; names variables, not values. */
import { createRoute, z } from '@hono/zod-openapi';
import { answerJson } from '../answer.ts';
import type { App } from '../app.ts';
import { jsonAnswer, problemAnswers } from '../schema/problem.ts';

const route = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getHealth',
  tags: ['deployment'],
  summary: 'Ask whether the deployment can serve',
  responses: {
    200: jsonAnswer(z.object({ status: z.literal('ok') }).openapi('Health'), 'It is configured.'),
    ...problemAnswers(['method-not-allowed', 'misconfigured', 'internal']),
  } as ReturnType<typeof problemAnswers>,
});

/** A deployment that lacks a variable never gets here: see `producer/index.ts`. */
export function addHealth(app: App): void {
  app.openapi(route, () => answerJson({ status: 'ok' }));
}
