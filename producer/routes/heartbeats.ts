/** Signs of life: a server's own, and a leader's for its cluster. */
import { createRoute } from '@hono/zod-openapi';
import type { HeartbeatAnswer } from '../../shared/registry/rpc.ts';
import { answerJson, refuse } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { refusalOfServices } from '../caller/limited-token.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  ClusterHeartbeatBodySchema,
  HeartbeatAnswerSchema,
  ServerHeartbeatSchema,
  ServerParamsSchema,
} from '../schema/server.ts';
import { leadershipOf } from '../services/server-document.ts';
import { askRegistry, registryCallerOf } from '../upstream/registry-answer.ts';

const shared = { tags: ['servers'] };
const withBody = [readsJson(MAX_TASK_BODY_BYTES)];

const heartbeatRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/servers/{id}/heartbeat',
  operationId: 'sendHeartbeat',
  summary: 'Say that a server lives',
  description: '`services`, when sent, replace those that it offers. A 404 means: register again.',
  middleware: withBody,
  request: { params: ServerParamsSchema, body: jsonBody(ServerHeartbeatSchema) },
  responses: answers(
    { 200: jsonAnswer(HeartbeatAnswerSchema, 'How things stand for the server.') },
    ...BODY_PROBLEMS,
    'server-not-found',
  ),
});

const clusterRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/servers/heartbeats',
  operationId: 'sendClusterHeartbeat',
  summary: 'Say how the servers of a cluster are, as its leader',
  middleware: withBody,
  request: { body: jsonBody(ClusterHeartbeatBodySchema) },
  responses: answers(
    { 200: jsonAnswer(HeartbeatAnswerSchema, 'Whom to look after.') },
    ...BODY_PROBLEMS,
    'server-not-found',
    'not-heartbeat-leader',
  ),
});

const leadershipRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/servers/{id}/leadership',
  operationId: 'claimLeadership',
  summary: 'Ask to lead the cluster',
  description: 'Granted when nobody leads, or the leader is silent; the answer says who leads.',
  request: { params: ServerParamsSchema },
  responses: answers(
    { 200: jsonAnswer(HeartbeatAnswerSchema, 'Who leads now.') },
    'server-not-found',
    'not-heartbeat-leader',
  ),
});

export function addHeartbeats(app: App): void {
  app.openapi(clusterRoute, (c) =>
    askRegistry(
      c.env.runtime,
      (registry) => registry.heartbeatCluster(c.req.valid('json'), registryCallerOf(c.get('principal'))),
      answerHeartbeat,
    ),
  );

  app.openapi(heartbeatRoute, async (c) => {
    const principal = c.get('principal');
    const sign = c.req.valid('json');
    const notForToken = refusalOfServices(principal, ...(sign.services ?? []).map(({ name }) => name));
    if (notForToken !== undefined) return refuse(notForToken.code, notForToken.details);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.heartbeat(c.req.valid('param').id, sign, registryCallerOf(principal)),
      answerHeartbeat,
    );
  });

  app.openapi(leadershipRoute, (c) =>
    askRegistry(
      c.env.runtime,
      (registry) => registry.claimLeadership(c.req.valid('param').id, registryCallerOf(c.get('principal'))),
      answerHeartbeat,
    ),
  );
}

function answerHeartbeat(answer: HeartbeatAnswer): Response {
  return answerJson(leadershipOf(answer));
}
