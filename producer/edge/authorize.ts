/** Lets a request through when its token is good and the access table allows its role. */
import type { Context } from 'hono';
import type { Authentication } from '../../shared/auth/authenticator.ts';
import { type Access, rightOf } from '../access.ts';
import { refuse, unauthenticated, unavailable } from '../answer/answer.ts';
import type { AppEnv } from '../app.ts';
import { refuseToken } from '../caller/wrong-token.ts';
import type { Guard } from './guards.ts';

const HOW_TO_SEND = 'Send a token: `Authorization: Bearer <token>`. `npm run token` makes one.';
const HOW_TO_SEND_AS_KEY =
  'Send a Tasklane token: `Authorization: Bearer <token>`, or in `x-goog-api-key` or `x-api-key`.';

/** What no route matches goes on, to be answered as not found. */
export const requireAccess: Guard = (c, { access, token }) => {
  if (typeof access !== 'object') return undefined;
  if (token === undefined || (token.asKey && !access.tokenAsKey)) {
    return unauthenticated(access.tokenAsKey ? HOW_TO_SEND_AS_KEY : HOW_TO_SEND, false);
  }
  const answer = c.env.runtime.authenticator.authenticate(token.text, Date.now());
  return answer instanceof Promise ? answer.then((late) => admit(c, access, late)) : admit(c, access, answer);
};

function admit(
  c: Context<AppEnv>,
  access: Exclude<Access, string>,
  answer: Authentication,
): Response | undefined | Promise<Response> {
  if (!answer.ok) return answer.code === 'unavailable' ? unavailable(answer.detail) : refuseToken(c, answer.detail);
  const { principal } = answer;
  const right = rightOf(c.req.method, access, principal);
  if (!right.ok) return refuse('forbidden', { detail: right.why });
  c.set('principal', { ...principal, scope: right.scope });
  return undefined;
}
