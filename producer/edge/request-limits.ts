/**
 * What is asked of every request before anything is known of it: that its headers are few enough to handle, and
 * that its sender does not send too many. Nothing is verified or read for what is refused here.
 *
 * A token that this isolate has verified lately is counted by itself, and its address is not: so a stranger at an
 * address cannot hold up the clients beside it. Everything else is counted by the address. Callbacks are not
 * counted: a backend reports for all its tasks from one address, and a report that is refused may be lost; wrong
 * attempt tokens are counted once they turned out to be wrong.
 *
 * The counters are the platform's: by location, about right, without a round trip
 * (developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit).
 */
import { refuse } from '../answer/answer.ts';
import { hasRoom, senderOf } from '../caller/sender.ts';
import type { Guard } from './guards.ts';
import type { RequestHeaders } from './request-headers.ts';

const MAX_HEADERS = 100;
/** What servers commonly take; the platform lets four times that through. */
const MAX_HEADER_CHARACTERS = 32 * 1024;

/** The period of the counters in wrangler.toml. */
const RETRY_AFTER_SECONDS = 10;

export const limitRequests: Guard = (c, { access, token, headers }) => {
  const excess = excessOf(headers);
  if (excess !== undefined) return refuse('headers-too-large', { detail: excess });
  const { config, authenticator } = c.env.runtime;
  if (access === 'attempt') return undefined;
  const isKnown = token !== undefined && authenticator.knows(token.text, Date.now());
  const [counter, key, who] = isKnown
    ? [config.requestsByToken, keyOfToken(token.text), 'this token']
    : [config.requestsByAddress, senderOf(c.req.raw), 'this address'];
  return counter && count(counter, key, who);
};

async function count(counter: RateLimit, key: string, who: string): Promise<Response | undefined> {
  if (await hasRoom(counter, key)) return undefined;
  return refuse('too-many-requests', {
    detail: `Too many requests came with ${who}. Several tasks go into one request: POST /api/tasks/batch.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

function excessOf({ count, characters }: RequestHeaders): string | undefined {
  if (count > MAX_HEADERS) return `A request may have ${MAX_HEADERS} headers; this one has ${count}.`;
  if (characters <= MAX_HEADER_CHARACTERS) return undefined;
  return `Headers may have ${MAX_HEADER_CHARACTERS} characters in all; these have ${characters}.`;
}

/** The end of its signature: tells tokens apart, and is no token. */
function keyOfToken(token: string): string {
  return token.slice(-43);
}
