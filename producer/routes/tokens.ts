/** `POST /api/tokens/revoke`: a token is refused from now on, everywhere within half a minute. */
import { createRoute } from '@hono/zod-openapi';
import { MAX_TOKEN_LIFETIME_SECONDS, type Principal } from '../../shared/auth/token.ts';
import { revokeToken } from '../../shared/store/revocation.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import type { Runtime } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { RevocationSchema, RevokedSchema } from '../schema/token.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

/** No token that is good now is good for longer; a day covers every clock. */
const REFUSED_FOR_MS = MAX_TOKEN_LIFETIME_SECONDS * 1000 + 86_400_000;

const route = createRoute({
  method: 'post',
  path: '/api/tokens/revoke',
  operationId: 'revokeToken',
  tags: ['tokens'],
  summary: 'Revoke a token',
  description:
    'Show the token, or name its jti. Other isolates refuse it within 30 seconds. A token without a jti cannot be revoked: ' +
    'it ends by itself, or with the secret that it was signed with.',
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
    const { token, jti: named, expiresAt: expiry } = c.req.valid('json');
    const now = Date.now();
    const shown = token === undefined ? undefined : await holderOf(runtime, token, now);
    if (shown instanceof Response) return shown;
    const jti = shown?.jti ?? named ?? '';
    if (expiry !== undefined && Date.parse(expiry) <= now) {
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
    const revoked = {
      jti,
      issued: shown === undefined ? 'unknown' : 'yes',
      ...(shown !== undefined && { subject: shown.subject, role: shown.role }),
      expiresAt: new Date(expiresAt).toISOString(),
    };
    c.set('change', { after: revoked });
    return answerJson(revoked);
  });
}

/** Of a token that is shown: who holds it, or why it needs no revoking, or cannot be revoked. */
async function holderOf(runtime: Runtime, token: string, now: number): Promise<Principal | Response> {
  const identified = await runtime.authenticator.identify(token, now);
  if (!identified.ok && identified.code === 'unreachable') return unavailable(identified.reason);
  const reason = !identified.ok
    ? `is not good here, so there is nothing to revoke: ${identified.reason}`
    : identified.principal.jti === undefined
      ? 'has no jti by which it could be revoked: change the secret that it was signed with'
      : undefined;
  if (identified.ok && reason === undefined) return identified.principal;
  return refuse('invalid-request', {
    detail: `/token: ${reason}`,
    errors: [{ field: '/token', reason: reason ?? '' }],
  });
}
