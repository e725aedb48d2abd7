/** `/api/webhooks`: what an owner's receivers verify with, and holding back the messages to one of them. */
import { createRoute } from '@hono/zod-openapi';
import { hookService } from '../../shared/webhook/hook.ts';
import { ownerSecrets } from '../../shared/webhook/signature.ts';
import { answerJson } from '../answer/answer.ts';
import type { App, Caller } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  PausedWebhookSchema,
  PauseWebhookSchema,
  ResumeWebhookSchema,
  WebhookSecretQuerySchema,
  WebhookSecretsSchema,
} from '../schema/webhook.ts';
import { askRegistry } from '../upstream/registry-answer.ts';

const shared = { tags: ['webhooks'] };

const secretRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/webhooks/secret',
  operationId: 'getWebhookSecret',
  summary: 'Get the secret that your receivers verify messages with',
  description: 'For a library of Standard Webhooks. Each owner of tasks has its own.',
  request: { query: WebhookSecretQuerySchema },
  responses: answers({ 200: jsonAnswer(WebhookSecretsSchema, 'One, or two during a rotation.') }, 'invalid-request'),
});

const pauseRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/webhooks/pause',
  operationId: 'pauseWebhook',
  summary: 'Hold back the messages to one address',
  description: 'Messages wait, at most the three days that they live; the query of the address does not matter.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: jsonBody(PauseWebhookSchema) },
  responses: answers({ 200: jsonAnswer(PausedWebhookSchema, 'They wait.') }, ...BODY_PROBLEMS),
});

const resumeRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/webhooks/resume',
  operationId: 'resumeWebhook',
  summary: 'Let the messages to an address go out again',
  description: 'Also those of a hook whose receiver answered 410, or `webhook-delivery: disable`.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: jsonBody(ResumeWebhookSchema) },
  responses: answers({ 200: jsonAnswer(PausedWebhookSchema, 'They go out, the oldest first.') }, ...BODY_PROBLEMS),
});

export function addWebhooks(app: App): void {
  app.openapi(secretRoute, async (c) => {
    const owner = ownerOf(c.get('principal'), c.req.valid('query').subject);
    return answerJson({ secrets: await ownerSecrets(c.env.runtime.config.webhookSecrets, owner) });
  });

  app.openapi(pauseRoute, async (c) => {
    const { url, subject, reason } = c.req.valid('json');
    const owner = ownerOf(c.get('principal'), subject);
    const service = await hookService(url, owner);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.setPaused(service, { reason, owner }),
      () => {
        // Not the address: what stands in its query is the receiver's.
        c.set('change', { after: { service, owner, paused: true, reason } });
        return answerJson({ url, service, paused: true });
      },
    );
  });

  app.openapi(resumeRoute, async (c) => {
    const { url, subject } = c.req.valid('json');
    const owner = ownerOf(c.get('principal'), subject);
    const service = await hookService(url, owner);
    return askRegistry(
      c.env.runtime,
      (registry) => registry.setPaused(service, undefined),
      () => {
        c.set('change', { after: { service, owner, paused: false } });
        return answerJson({ url, service, paused: false });
      },
    );
  });
}

/** Whose hooks are meant: one's own, or for whoever may see all, those of the subject that is named. */
function ownerOf({ scope, subject }: Caller, named: string | undefined): string {
  return scope === 'all' ? (named ?? subject) : subject;
}
