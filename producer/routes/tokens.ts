/** `POST /api/tokens/revoke`: a token is refused from now on, everywhere within half a minute. */
import { createRoute } from '@hono/zod-openapi';
import { MAX_TOKEN_LIFETIME_SECONDS } from '../../shared/auth/token.ts';
import { revokeToken } from '../../shared/store/revocation.ts';
import { answerJson, refuse, unavailable } from '../answer.ts';
import type { App } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../body.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { RevocationSchema, RevokedSchema } from '../schema/token.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';

/** No token that is good now is good for longer; a day covers every clock. */
const REFUSED_FOR_MS = MAX_TOKEN_LIFETIME_SECONDS * 1000 + 86_400_000;

const route = createRoute({
  method: 'post',
  path: '/api/tokens/revoke',
  operationId: 'revokeToken',
  tags: ['tokens'],
  summary: 'Revoke a token',
  description: 'By its jti. Other isolates refuse it within 30 seconds.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: { required: true, content: { 'application/json': { schema: RevocationSchema } } } },
  responses: answers(
    { 200: jsonAnswer(RevokedSchema, 'It is revoked.') },
    'invalid-request',
    'malformed-body',
    'body-too-large',
    'unsupported-media-type',
  ),
});

export function addTokens(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const { jti, expiresAt: given } = c.req.valid('json');
    const now = Date.now();
    if (given !== undefined && Date.parse(given) <= now) {
      const reason = 'is past: a token that has ended needs no revoking; leave it out when the end is not known';
      return refuse('invalid-request', {
        detail: `/expiresAt: ${reason}`,
        errors: [{ field: '/expiresAt', reason }],
      });
    }
    const expiresAt = now + REFUSED_FOR_MS;
    const done = await callUpstream('database', () => revokeToken(runtime.config.stores.control, jti, expiresAt));
    if (done === UNAVAILABLE) return unavailable('The token is not certain to be revoked; repeat the request.');
    runtime.authenticator.forget(jti);
    c.set('change', { after: { jti, expiresAt: new Date(expiresAt).toISOString() } });
    return answerJson({ jti, expiresAt: new Date(expiresAt).toISOString() });
  });
}
