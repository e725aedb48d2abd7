/**
 * What a wrong token is answered: 401, and 429 to an address that sends many. The counter is the
 * platform's: by location, about right, and without a round trip. It is asked only about wrong tokens, so
 * whoever has a right one is never held up, whatever others at the same address do.
 */
import type { Context } from 'hono';
import { refuse, unauthenticated } from '../answer/answer.ts';
import type { AppEnv } from '../app.ts';
import { hasRoom, senderOf } from './sender.ts';

/** The period of the counter in wrangler.toml. */
const RETRY_AFTER_SECONDS = 10;

export async function refuseToken(c: Context<AppEnv>, detail: string): Promise<Response> {
  const counter = c.env.runtime.config.wrongTokens;
  if (counter === undefined || (await hasRoom(counter, senderOf(c.req.raw)))) return unauthenticated(detail, true);
  return refuse('too-many-wrong-tokens', {
    detail: `${detail} Too many wrong tokens came from this address.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
