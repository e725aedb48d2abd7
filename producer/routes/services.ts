/** `/api/services`: services put at run time, how they stand, what they need, and pausing them. */
import { createRoute } from '@hono/zod-openapi';
import { KNOWN_WITHIN_MS } from '../../shared/service/known-services.ts';
import { answerJson, answerNothing, refuse } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { mayUse, refusalOfServices } from '../caller/limited-token.ts';
import { MAX_TASK_BODY_BYTES, mayReadJson, readsJson } from '../json/body.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  DeleteServiceQuerySchema,
  DemandSchema,
  PauseBodySchema,
  PausedSchema,
  PutServiceSchema,
  ResumeBodySchema,
  ServiceDefinitionBodySchema,
  ServiceDetailSchema,
  ServiceListSchema,
  ServiceParamsSchema,
} from '../schema/service.ts';
import { checkDefinition } from '../services/definition-check.ts';
import { pauseOf } from '../services/pause.ts';
import { pauseState, serviceDocument, serviceNow, shownDefinition } from '../services/service-view.ts';
import { readServices } from '../services/services.ts';
import { askRegistry, readRegistry } from '../upstream/registry-answer.ts';

const shared = { tags: ['services'] };

const listRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/services',
  operationId: 'listServices',
  summary: 'List services, with their servers',
  responses: answers({ 200: jsonAnswer(ServiceListSchema, 'All services.') }),
});

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/services/{name}',
  operationId: 'getService',
  summary: 'See a service, its definition in force and where that comes from',
  request: { params: ServiceParamsSchema },
  responses: answers(
    { 200: jsonAnswer(ServiceDetailSchema, 'As it stands now.') },
    'invalid-request',
    'service-not-found',
  ),
});

const demandRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/services/{name}/demand',
  operationId: 'getDemand',
  summary: 'See what a service has to do, and how many servers would do it',
  request: { params: ServiceParamsSchema },
  responses: answers({ 200: jsonAnswer(DemandSchema, 'As it is now.') }, 'invalid-request', 'service-not-found'),
});

const putRoute = createRoute({
  ...shared,
  method: 'put',
  path: '/api/services/{name}',
  operationId: 'putService',
  summary: 'Define a service',
  description:
    'Replaces the definition as a whole, also one of wrangler.toml. The answer says from when on it is in force everywhere: ' +
    'within six seconds, at once where a name is met for the first time, or has limits or servers.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: {
    params: ServiceParamsSchema,
    body: jsonBody(ServiceDefinitionBodySchema),
  },
  responses: answers({ 200: jsonAnswer(PutServiceSchema, 'It is defined.') }, ...BODY_PROBLEMS),
});

const deleteRoute = createRoute({
  ...shared,
  method: 'delete',
  path: '/api/services/{name}',
  operationId: 'deleteService',
  summary: 'Delete a service that was put at run time',
  description: 'A definition of the same name in wrangler.toml is in force again.',
  request: { params: ServiceParamsSchema, query: DeleteServiceQuerySchema },
  responses: answers({ 204: { description: 'It is gone.' } }, 'invalid-request', 'service-not-found', 'service-busy'),
});

const pauseRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/services/{name}/pause',
  operationId: 'pauseService',
  summary: 'Pause a service',
  description: 'Calls under way finish; tasks wait, within five seconds everywhere, and lose no attempt.',
  middleware: [mayReadJson(MAX_TASK_BODY_BYTES)],
  request: {
    params: ServiceParamsSchema,
    body: { content: { 'application/json': { schema: PauseBodySchema } }, required: false },
  },
  responses: answers({ 200: jsonAnswer(PausedSchema, 'It is paused.') }, ...BODY_PROBLEMS, 'service-not-found'),
});

const resumeRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/services/{name}/resume',
  operationId: 'resumeService',
  summary: 'Resume a service',
  description:
    'Tasks that waited go out within seconds, or, with a ramp, slowly at first. A service that is not paused takes a ramp too.',
  middleware: [mayReadJson(MAX_TASK_BODY_BYTES)],
  request: {
    params: ServiceParamsSchema,
    body: { content: { 'application/json': { schema: ResumeBodySchema } }, required: false },
  },
  responses: answers({ 200: jsonAnswer(PausedSchema, 'It goes on.') }, ...BODY_PROBLEMS, 'service-not-found'),
});

export function addServices(app: App): void {
  addViews(app);
  addDefinitions(app);
  addPauses(app);
}

/** What people and backends see of services. */
function addViews(app: App): void {
  app.openapi(listRoute, (c) =>
    readRegistry(
      c.env.runtime,
      (registry) => registry.listServices(),
      (services) => {
        const reached = services.filter(({ name }) => mayUse(c.get('principal'), name));
        return answerJson({ services: reached.map(serviceDocument) });
      },
    ),
  );

  app.openapi(getRoute, (c) =>
    askRegistry(
      c.env.runtime,
      (registry) => registry.getService(c.req.valid('param').name),
      ({ definition, overridden, ramp, ...service }) =>
        answerJson({
          ...serviceDocument(service),
          definition: definition && shownDefinition(definition),
          overridden: overridden && shownDefinition(overridden),
          ramp: ramp && { perSecond: ramp.perSecond, until: new Date(ramp.until).toISOString() },
        }),
    ),
  );

  app.openapi(demandRoute, async (c) => {
    const { name } = c.req.valid('param');
    const notForToken = refusalOfServices(c.get('principal'), name);
    if (notForToken !== undefined) return refuse(notForToken.code, notForToken.details);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.getDemand(name),
      (demand) => answerJson(demand),
    );
  });
}

/** Definitions that are put at run time. */
function addDefinitions(app: App): void {
  app.openapi(putRoute, async (c) => {
    const { runtime } = c.env;
    const { name } = c.req.valid('param');
    const sent = await c.req.json<unknown>();
    const checked = await checkDefinition(runtime, sent);
    if (!checked.ok) return refuse(checked.refusal.code, checked.refusal.details);
    const { definition, warnings } = checked;
    const before = (await serviceNow(runtime, name))?.definition;
    const answer = await readRegistry(
      runtime,
      // As it was sent: a later release reads it with its own defaults.
      (registry) => registry.putService(name, sent),
      (version) => {
        c.set('change', {
          before: before && shownDefinition(before),
          after: shownDefinition(sent as typeof definition),
        });
        const inForceEverywhereAt = new Date(Date.now() + KNOWN_WITHIN_MS).toISOString();
        return answerJson({ name, version, definition, inForceEverywhereAt, warnings });
      },
    );
    await readServices(runtime, { changed: true });
    return answer;
  });

  app.openapi(deleteRoute, async (c) => {
    const { runtime } = c.env;
    const { name } = c.req.valid('param');
    const force = c.req.valid('query').force === 'true';
    const before = (await serviceNow(runtime, name))?.definition;
    const answer = await askRegistry(
      runtime,
      (registry) => registry.deleteService(name, force),
      () => {
        c.set('change', { before: before && shownDefinition(before), after: { force } });
        return answerNothing();
      },
    );
    await readServices(runtime, { changed: true });
    return answer;
  });
}

function addPauses(app: App): void {
  app.openapi(pauseRoute, async (c) => {
    const { name } = c.req.valid('param');
    const { until, reason } = c.req.valid('json');
    const read = pauseOf({ until, reason }, Date.now());
    if (!read.ok) return refuse(read.refusal.code, read.refusal.details);
    const before = await serviceNow(c.env.runtime, name);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.setPaused(name, read.pause),
      () => {
        const after = pauseState({ paused: true, pause: read.pause });
        c.set('change', { before: before && pauseState(before), after });
        return answerJson({ name, paused: true, until, reason });
      },
    );
  });

  app.openapi(resumeRoute, async (c) => {
    const { name } = c.req.valid('param');
    const { rampSeconds } = c.req.valid('json');
    const before = await serviceNow(c.env.runtime, name);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.resume(name, rampSeconds),
      () => {
        c.set('change', { before: before && pauseState(before), after: { paused: false, rampSeconds } });
        return answerJson({ name, paused: false, rampSeconds });
      },
    );
  });
}
