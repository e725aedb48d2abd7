/** `/api/servers`: backends register themselves, drain and leave, and are looked at. */
import { createRoute } from '@hono/zod-openapi';
import { isOwnAddress, OWN_ADDRESS_PROBLEM } from '../../shared/service/own-address.ts';
import { targetProblem } from '../../shared/service/target.ts';
import { answerJson, answerNothing, refuse } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { refusalOfServices } from '../caller/limited-token.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  MaintenanceBodySchema,
  RegisteredSchema,
  ServerListSchema,
  ServerMetricsSchema,
  ServerParamsSchema,
  ServerRegistrationSchema,
  ServerSchema,
} from '../schema/server.ts';
import { leadershipOf, serverDocument } from '../services/server-document.ts';
import { askRegistry, readRegistry, registryCallerOf } from '../upstream/registry-answer.ts';

const shared = { tags: ['servers'] };
const withBody = [readsJson(MAX_TASK_BODY_BYTES)];

const registerRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/servers',
  operationId: 'registerServer',
  summary: 'Register a server',
  description: 'Safe to repeat: a server is known by its URL, and what is sent replaces what was known of it.',
  middleware: withBody,
  request: { body: jsonBody(ServerRegistrationSchema) },
  responses: answers(
    {
      200: jsonAnswer(RegisteredSchema, 'It was known already.'),
      201: jsonAnswer(RegisteredSchema, 'It is registered.'),
    },
    ...BODY_PROBLEMS,
  ),
});

const listRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/servers',
  operationId: 'listServers',
  summary: 'List servers',
  description: 'A server token sees the servers that it registered, an admin or a viewer all.',
  responses: answers({ 200: jsonAnswer(ServerListSchema, 'The servers as they stand.') }),
});

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/servers/{id}',
  operationId: 'getServer',
  summary: 'See how a server stands',
  request: { params: ServerParamsSchema },
  responses: answers({ 200: jsonAnswer(ServerSchema, 'The server as it stands.') }, 'server-not-found'),
});

const deleteRoute = createRoute({
  ...shared,
  method: 'delete',
  path: '/api/servers/{id}',
  operationId: 'removeServer',
  summary: 'Remove a server',
  description: 'At once: its calls under way finish, no new one goes there. To let them finish first, use maintenance.',
  request: { params: ServerParamsSchema },
  responses: answers({ 204: { description: 'It is gone.' } }, 'server-not-found'),
});

const maintenanceRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/servers/{id}/maintenance',
  operationId: 'setMaintenance',
  summary: 'Drain a server, or take it into use again',
  description: 'A draining server gets no new call; it is `drained` when those under way have finished.',
  middleware: withBody,
  request: { params: ServerParamsSchema, body: jsonBody(MaintenanceBodySchema) },
  responses: answers({ 200: jsonAnswer(ServerSchema, 'The server.') }, ...BODY_PROBLEMS, 'server-not-found'),
});

const metricsRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/servers/{id}/metrics',
  operationId: 'getServerMetrics',
  summary: 'See how fast a server answers, and how much',
  request: { params: ServerParamsSchema },
  responses: answers({ 200: jsonAnswer(ServerMetricsSchema, 'Of the last five minutes.') }, 'server-not-found'),
});

export function addServers(app: App): void {
  app.openapi(registerRoute, async (c) => {
    const { runtime } = c.env;
    const registration = c.req.valid('json');
    const notForToken = refusalOfServices(c.get('principal'), ...registration.services.map(({ name }) => name));
    if (notForToken !== undefined) return refuse(notForToken.code, notForToken.details);
    const { allowsPrivateTargets, publicUrl } = runtime.config;
    const problem = isOwnAddress(registration.url, publicUrl)
      ? OWN_ADDRESS_PROBLEM
      : targetProblem(registration.url, allowsPrivateTargets);
    if (problem !== undefined) {
      return refuse('invalid-request', { detail: `/url: ${problem}`, errors: [{ field: '/url', reason: problem }] });
    }
    return askRegistry(
      runtime,
      (registry) => registry.register(registration, registryCallerOf(c.get('principal'))),
      ({ id, created, ...status }) => {
        const { url, services } = registration;
        c.set('change', { target: id, after: { url, services: services.map(({ name }) => name) } });
        return answerJson({ id, ...leadershipOf(status) }, created ? 201 : 200, { location: `/api/servers/${id}` });
      },
    );
  });

  app.openapi(listRoute, (c) =>
    readRegistry(
      c.env.runtime,
      (registry) => registry.listServers(registryCallerOf(c.get('principal'))),
      (servers) => answerJson({ servers: servers.map(serverDocument) }),
    ),
  );

  app.openapi(getRoute, (c) =>
    askRegistry(
      c.env.runtime,
      (registry) => registry.getServer(c.req.valid('param').id, registryCallerOf(c.get('principal'))),
      (server) => answerJson(serverDocument(server)),
    ),
  );

  app.openapi(deleteRoute, (c) =>
    askRegistry(
      c.env.runtime,
      (registry) => registry.removeServer(c.req.valid('param').id, registryCallerOf(c.get('principal'))),
      answerNothing,
    ),
  );

  app.openapi(maintenanceRoute, (c) => {
    const { enabled } = c.req.valid('json');
    return askRegistry(
      c.env.runtime,
      (registry) => registry.setMaintenance(c.req.valid('param').id, enabled, registryCallerOf(c.get('principal'))),
      (server) => {
        c.set('change', { after: { enabled, state: server.state } });
        return answerJson(serverDocument(server));
      },
    );
  });

  app.openapi(metricsRoute, (c) =>
    askRegistry(
      c.env.runtime,
      (registry) => registry.getMetrics(c.req.valid('param').id, registryCallerOf(c.get('principal'))),
      (metrics) => answerJson(metrics),
    ),
  );
}
