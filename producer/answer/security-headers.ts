/**
 * What every answer of this origin carries, whoever made it: no sniffing, no framing, no referrer, https from
 * now on, and a policy under which nothing runs unless the page has one of its own. What a backend answered on
 * the synchronous route is shown to a browser as nobody's page, so that it cannot act with a token that the
 * dashboard keeps for this origin; and who may read answers across origins is said by `CORS_ORIGINS` alone.
 */

import { ALWAYS, NOBODYS_PAGE, NOTHING_RUNS } from '../../shared/security-headers.ts';

/** Whatever does not say how long it may be kept is about somebody's tasks. */
const OWN = { 'content-security-policy': NOTHING_RUNS, 'cache-control': 'no-store' } as const;

const CROSS_ORIGIN_HEADER = /^access-control-/;

/** Answers that were made with all of it. */
const made = new WeakSet<Response>();

/**
 * Makes answers of one status that have what every answer must carry from the start, and `headers`. Status and headers are
 * taken from an answer that is made once: copied as a whole they cost a third of those that are set one by one.
 */
export function answersWith(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): (body: string | null) => Response {
  const model = new Response(null, { status, headers: { ...ALWAYS, ...OWN, ...headers } });
  return (body) => {
    const response = new Response(body, model);
    made.add(response);
    return response;
  };
}

/** @param ofBackend true for what a service's backend answered */
export function secured(response: Response, ofBackend: boolean): Response {
  if (made.has(response) || (ofBackend && isSecured(response))) return response;
  if (!ofBackend && canBeSet(response.headers)) {
    setOwn(response.headers);
    return response;
  }
  const headers = new Headers(response.headers);
  if (ofBackend) {
    setAlways(headers);
    for (const name of [...headers.keys()].filter((key) => CROSS_ORIGIN_HEADER.test(key))) headers.delete(name);
    headers.set('content-security-policy', NOBODYS_PAGE);
  } else setOwn(headers);
  return replaceHeaders(response, headers);
}

/** By its consumer (`headersToClient`), which lets no policy and no `access-control-` header of a backend through. */
function isSecured({ headers }: Response): boolean {
  return headers.get('content-security-policy') === NOBODYS_PAGE;
}

/**
 * The headers of an answer that was made here are set in place: a copy of the answer would cost as much as making it, and
 * its body would go out as a stream of unknown length. Those of one that was fetched, or leads elsewhere, are immutable
 * (Fetch standard, headers guard).
 */
function canBeSet(headers: Headers): boolean {
  try {
    headers.set('x-content-type-options', ALWAYS['x-content-type-options']);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function setAlways(headers: Headers): void {
  for (const [name, value] of Object.entries(ALWAYS)) headers.set(name, value);
}

function setOwn(headers: Headers): void {
  setAlways(headers);
  for (const [name, value] of Object.entries(OWN)) if (!headers.has(name)) headers.set(name, value);
}

/** The same answer under other headers: its body goes through as it is, packed or not. */
export function replaceHeaders(response: Response, headers: Headers): Response {
  const { status, statusText, body } = response;
  const isPacked = headers.has('content-encoding');
  return new Response(body, { status, statusText, headers, ...(isPacked && { encodeBody: 'manual' as const }) });
}
