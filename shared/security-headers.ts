/**
 * What browsers are told with every answer of this origin. Workers that answer through the producer say it too, so that
 * their answers go out as they came.
 */

/** Two years, as browsers' lists ask for. Browsers leave it alone over plain HTTP (RFC 6797, section 8.1). */
const HTTPS_FOR = 'max-age=63072000';

export const ALWAYS = {
  'strict-transport-security': HTTPS_FOR,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
} as const;

export const NOTHING_RUNS = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Of a backend's answer: `sandbox` without `allow-same-origin` makes it a document of an origin of its own. */
export const NOBODYS_PAGE = `sandbox; ${NOTHING_RUNS}`;
