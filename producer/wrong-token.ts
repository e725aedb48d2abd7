/**
 * What a wrong token is answered: 401, and 429 to an address that sends many. The counter is the
 * platform's: by location, about right, and without a round trip. It is asked only about wrong tokens, so
 * whoever has a right one is never held up, whatever others at the same address do.
 */
import type { Context } from 'hono';
import { logError } from '../shared/log.ts';
import { refuse, unauthenticated } from './answer.ts';
import type { AppEnv } from './app.ts';

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

async function hasRoom(counter: RateLimit, key: string): Promise<boolean> {
  try {
    return (await counter.limit({ key })).success;
  } catch (error) {
    logError('rate-limit.failed', {}, error);
    return true;
  }
}

/** The address as the platform tells it; of IPv6 the network of a customer (/64), who has all its addresses. */
function senderOf(request: Request): string {
  const address = request.headers.get('cf-connecting-ip') ?? 'local';
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  while (address.includes('::') && groups.length + after.length < 8) groups.push('0');
  return [...groups, ...after].slice(0, 4).join(':');
}
