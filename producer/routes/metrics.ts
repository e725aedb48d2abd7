/**
 * `GET /metrics`: the deployment as Prometheus reads it. Whoever does not answer in time is missing from
 * the answer, and `tasklane_up` says who did.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { App } from '../app.ts';
import { answers } from '../schema/problem.ts';
import { collectMetrics } from '../statistics/collect.ts';
import { exposition } from '../statistics/exposition.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const route = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  tags: ['statistics'],
  summary: 'Metrics in the text format of Prometheus',
  description: 'Counters start anew at midnight UTC, which a scraper takes for a restart.',
  responses: answers({
    200: {
      description: 'Metrics.',
      content: {
        'text/plain': {
          schema: z.string(),
          example: '# TYPE tasklane_queue_messages gauge\ntasklane_queue_messages{shard="0"} 12\n',
        },
      },
    },
  }),
});

export function addMetrics(app: App): void {
  app.openapi(route, async (c) => {
    const text = exposition(await collectMetrics(c.env.runtime, Date.now()));
    return new Response(text, { headers: { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store' } });
  });
}
