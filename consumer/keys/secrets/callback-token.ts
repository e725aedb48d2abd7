/**
 * Takes the token with which a backend calls back out of its answer. Every call has another one, and
 * preparing to look for it costs a fifteenth of a call, so a text is first looked at for what any
 * spelling of a token has.
 */
import { type Redact, Redactor } from './redaction.ts';

/**
 * A run of its digits or of its base64, an escape or a zero between, bytes or digits with separators, lines of a few
 * digits each.
 */
const MAY_HOLD_TOKEN =
  /[A-Za-z0-9+/_-]{16}|[\\%&=\0]|(?:[0-9A-Fa-f.]{1,3}[^0-9A-Za-z]{1,16}(?:0x|U\+00)?){8}|(?:[0-9a-fA-F.]{4,}\s+){3}|(?:[0-9A-Fa-f]{2}[hH] ){8}/;

/** What nearly every answer says of its type: with a charset it is as long as half a token, and it never is one. */
const USUAL_TYPE =
  /^(?:application\/(?:json|problem\+json|xml)|text\/(?:plain|html|xml|csv))(?:; ?charset=(?:utf-8|us-ascii|iso-8859-1))?$/i;

/** Takes out what the backend was sent in confidence: the key and the secret headers of its service, and the token. */
export function callRedaction(ofService: Redactor, token: string): Redact {
  let ofCall: Redactor | undefined;
  return (text) => {
    const clean = ofService.text(text);
    if (!MAY_HOLD_TOKEN.test(clean) || USUAL_TYPE.test(clean)) return clean;
    ofCall ??= new Redactor([token]);
    return ofCall.text(clean);
  };
}
