/** `/api/flows`: the limits that tasks of one key share, changed, paused and watched while they run. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { flowName, flowOfName, flowPrefix } from '../../shared/flow/flow.ts';
import type { FlowView } from '../../shared/registry/rpc.ts';
import { answerJson, refuse } from '../answer/answer.ts';
import type { App, AppEnv } from '../app.ts';
import { MAX_TASK_BODY_BYTES, mayReadJson, readsJson } from '../json/body.ts';
import {
  FlowBodySchema,
  FlowDocumentSchema,
  FlowListQuerySchema,
  FlowListSchema,
  FlowParamsSchema,
  FlowQuerySchema,
} from '../schema/flow.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { PauseBodySchema } from '../schema/service.ts';
import { pauseOf } from '../services/pause.ts';
import { pauseDocument, pauseState } from '../services/service-view.ts';
import { askRegistry, readRegistry } from '../upstream/registry-answer.ts';

const shared = { tags: ['flows'] };
const named = { params: FlowParamsSchema, query: FlowQuerySchema };

const listRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/flows',
  operationId: 'listFlows',
  summary: 'List flows',
  description:
    'Those of which tasks came of late or wait, and those that somebody put or paused. A flow that nobody needs is forgotten.',
  request: { query: FlowListQuerySchema },
  responses: answers({ 200: jsonAnswer(FlowListSchema, 'A page of flows.') }, 'invalid-request'),
});

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/flows/{key}',
  operationId: 'getFlow',
  summary: 'See a flow: its limits, what runs and what waits',
  request: named,
  responses: answers({ 200: jsonAnswer(FlowDocumentSchema, 'As it stands now.') }, 'invalid-request', 'flow-not-found'),
});

const putRoute = createRoute({
  ...shared,
  method: 'put',
  path: '/api/flows/{key}',
  operationId: 'putFlow',
  summary: 'Say the limits of a flow',
  description: 'They hold for the next call, whatever its tasks say. Without any the flow has no limits.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { ...named, body: jsonBody(FlowBodySchema) },
  responses: answers({ 200: jsonAnswer(FlowDocumentSchema, 'As it stands now.') }, ...BODY_PROBLEMS),
});

const pauseRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/flows/{key}/pause',
  operationId: 'pauseFlow',
  summary: 'Pause a flow',
  description:
    'Calls under way finish; its other tasks wait, until a time or until it is resumed, and lose no attempt.',
  middleware: [mayReadJson(MAX_TASK_BODY_BYTES)],
  request: { ...named, body: { content: { 'application/json': { schema: PauseBodySchema } }, required: false } },
  responses: answers({ 200: jsonAnswer(FlowDocumentSchema, 'As it stands now.') }, ...BODY_PROBLEMS),
});

const resumeRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/flows/{key}/resume',
  operationId: 'resumeFlow',
  summary: 'Resume a flow',
  request: named,
  responses: answers({ 200: jsonAnswer(FlowDocumentSchema, 'As it stands now.') }, 'invalid-request', 'flow-not-found'),
});

export function addFlows(app: App): void {
  app.openapi(listRoute, (c) => {
    const { limit, cursor = '', subject: asked } = c.req.valid('query');
    const { scope, subject: own } = c.get('principal');
    const owner = scope === 'all' ? asked : own;
    const question = { prefix: flowPrefix(owner), after: cursor, limit: limit + 1 };
    return readRegistry(
      c.env.runtime,
      (registry) => registry.listFlows(question),
      (found) => {
        const page = found.slice(0, limit);
        const flows = page.flatMap(({ name, ...flow }) => {
          const { subject, key } = flowOfName(name) ?? {};
          return subject === undefined || key === undefined ? [] : [flowDocument(key, owner ?? subject, flow)];
        });
        return answerJson({ flows, nextCursor: found.length > limit ? (page.at(-1)?.name ?? null) : null });
      },
    );
  });

  app.openapi(getRoute, (c) => {
    const { key, subject, name } = flowOf(c, c.req.valid('param'), c.req.valid('query'));
    return askRegistry(
      c.env.runtime,
      (registry) => registry.getFlow(name),
      (flow) => answerJson(flowDocument(key, subject, flow)),
    );
  });

  app.openapi(putRoute, (c) => {
    const { key, subject, name } = flowOf(c, c.req.valid('param'), c.req.valid('query'));
    const limits = c.req.valid('json');
    return readRegistry(
      c.env.runtime,
      (registry) => registry.putFlow(name, limits),
      (flow) => {
        c.set('change', { after: limits });
        return answerJson(flowDocument(key, subject, flow));
      },
    );
  });

  app.openapi(pauseRoute, (c) => {
    const { key, subject, name } = flowOf(c, c.req.valid('param'), c.req.valid('query'));
    const read = pauseOf(c.req.valid('json'), Date.now());
    if (!read.ok) return refuse(read.refusal.code, read.refusal.details);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.pauseFlow(name, read.pause),
      (flow) => {
        c.set('change', { after: pauseState({ paused: true, pause: read.pause }) });
        return answerJson(flowDocument(key, subject, flow));
      },
    );
  });

  app.openapi(resumeRoute, (c) => {
    const { key, subject, name } = flowOf(c, c.req.valid('param'), c.req.valid('query'));
    return askRegistry(
      c.env.runtime,
      (registry) => registry.pauseFlow(name, undefined),
      (flow) => answerJson(flowDocument(key, subject, flow)),
    );
  });
}

/** A client's own; an administrator names the owner, or means the flow of its own tasks. */
function flowOf(
  c: Context<AppEnv>,
  { key }: { readonly key: string },
  { subject: asked }: { readonly subject?: string | undefined },
): { readonly key: string; readonly subject: string; readonly name: string } {
  const principal = c.get('principal');
  const subject = principal.scope === 'all' ? (asked ?? principal.subject) : principal.subject;
  return { key, subject, name: flowName(subject, key) };
}

function flowDocument(key: string, subject: string, { limits, pause, ...flow }: FlowView) {
  return { key, subject, ...limits, ...flow, pause: pause && pauseDocument(pause) };
}
