/**
 * What only a deployment's outside shows: that its address is https, that nobody gets in without a token, that
 * every answer carries the headers, that other origins read nothing. It asks like anybody and changes nothing.
 */
import { type DoctorFinding, finding } from './finding.ts';

export type Ask = (url: string, init?: RequestInit) => Promise<Response>;

const REQUIRED_HEADERS: Readonly<Record<string, RegExp>> = {
  'strict-transport-security': /max-age=\d{7,}/,
  'x-content-type-options': /^nosniff$/,
  'referrer-policy': /^no-referrer$/,
  'content-security-policy': /frame-ancestors 'none'/,
};

/** Pages, refusals and documents. */
const LOOKED_AT = ['/healthz', '/dashboard', '/docs', '/api/tasks', '/nothing-here'] as const;

const STRANGER = 'https://stranger.example';

/** What no secret made: an HS256 token whose signature is of the empty secret. */
const FORGED = `${btoa('{"alg":"HS256"}')}.${btoa('{"sub":"a","role":"admin","exp":4102444800}')}.AAAA`.replaceAll(
  '=',
  '',
);

export async function lookFromOutside(url: string, ask: Ask): Promise<DoctorFinding[]> {
  const { protocol } = new URL(url);
  const answers = await Promise.all(
    LOOKED_AT.map(async (path) => ({ path, headers: (await ask(url + path)).headers })),
  );
  const lacking = answers.flatMap(({ path, headers }) =>
    Object.entries(REQUIRED_HEADERS).flatMap(([name, wanted]) =>
      wanted.test(headers.get(name) ?? '') ? [] : [`${path} lacks ${name}`],
    ),
  );
  const [bare, forged, stranger] = await Promise.all([
    ask(`${url}/api/tasks`),
    ask(`${url}/api/tasks`, { headers: { authorization: `Bearer ${FORGED}` } }),
    ask(`${url}/healthz`, { headers: { origin: STRANGER } }),
  ]);
  const allowed = stranger.headers.get('access-control-allow-origin');
  return [
    finding('address', protocol === 'https:', `${url} is ${protocol.slice(0, -1)}`, 'Use an https address.'),
    finding(
      'headers',
      lacking.length === 0,
      lacking.length === 0 ? `${LOOKED_AT.length} addresses carry them all` : lacking.join('; '),
      'Something in front of the deployment takes them away: see rules and transforms of its zone.',
    ),
    finding(
      'tokens',
      bare.status === 401 && forged.status === 401,
      `without a token ${bare.status}, with a forged one ${forged.status}`,
      'Both must be 401: deploy this release again.',
    ),
    finding(
      'other-origins',
      allowed === null,
      allowed === null ? 'a stranger’s page reads nothing' : `${STRANGER} is allowed as ${allowed}`,
      'Something in front of the deployment adds it: take it out.',
    ),
  ];
}
