/** `/api/stats/servers` and `/api/stats/load-balancer`: how calls are spread, and by which algorithm. */
import { createRoute } from '@hono/zod-openapi';
import { answerJson } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { AlgorithmChangeSchema, BalancerSchema } from '../schema/balancer.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { ServerParamsSchema, ServerStatsSchema } from '../schema/server.ts';
import { serverDocument } from '../services/server-document.ts';
import { serviceNow } from '../services/service-view.ts';
import { askRegistry, readRegistry, registryCallerOf } from '../upstream/registry-answer.ts';

const shared = { tags: ['servers'] };

const serverRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/stats/servers/{id}',
  operationId: 'getServerStats',
  summary: 'See everything about a server',
  request: { params: ServerParamsSchema },
  responses: answers({ 200: jsonAnswer(ServerStatsSchema, 'The server, and its last minutes.') }, 'server-not-found'),
});

const balancerRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/stats/load-balancer',
  operationId: 'getLoadBalancer',
  summary: 'See how calls are spread over servers',
  responses: answers({ 200: jsonAnswer(BalancerSchema, 'By service and server.') }),
});

const algorithmRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/stats/load-balancer/algorithm',
  operationId: 'setBalancing',
  summary: 'Choose how calls of a service are spread',
  description: 'Takes effect with the next call; no count is lost.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: jsonBody(AlgorithmChangeSchema) },
  responses: answers(
    { 200: jsonAnswer(AlgorithmChangeSchema, 'It is chosen.') },
    ...BODY_PROBLEMS,
    'service-not-found',
  ),
});

export function addBalancer(app: App): void {
  app.openapi(serverRoute, (c) => {
    const { id } = c.req.valid('param');
    const caller = registryCallerOf(c.get('principal'));
    return askRegistry(
      c.env.runtime,
      async (registry) => {
        const [server, metrics] = await Promise.all([registry.getServer(id, caller), registry.getMetrics(id, caller)]);
        if (!server.ok) return server;
        return metrics.ok ? { ok: true, value: { server: server.value, metrics: metrics.value } } : metrics;
      },
      ({ server, metrics }) => answerJson({ server: serverDocument(server), metrics }),
    );
  });

  app.openapi(balancerRoute, (c) =>
    readRegistry(
      c.env.runtime,
      (registry) => registry.getBalancer(),
      (balancer) => answerJson(balancer),
    ),
  );

  app.openapi(algorithmRoute, async (c) => {
    const { service, algorithm } = c.req.valid('json');
    const before = await serviceNow(c.env.runtime, service);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.setBalancing(service, algorithm),
      () => {
        c.set('change', { before: before && { service, algorithm: before.balancing }, after: { service, algorithm } });
        return answerJson({ service, algorithm });
      },
    );
  });
}
