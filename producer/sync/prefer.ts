/**
 * The header `Prefer` (RFC 7240) as far as the synchronous route honours it: `respond-async` and
 * `wait=SECONDS`. Pure; what is not understood is ignored, as the RFC asks.
 */

export interface Preference {
  readonly respondAsync: boolean;
  /** How long the client would wait for a synchronous answer; undefined: it does not say. */
  readonly waitSeconds: number | undefined;
}

/** A connection is not held for a place for longer than this. */
const MAX_WAIT_SECONDS = 60;

export function preferenceOf(header: string | null): Preference {
  const preferences = (header ?? '').split(',').map((part) => part.trim().toLowerCase());
  const wait = preferences.map((part) => /^wait\s*=\s*"?(\d{1,6})"?(?:\s*;|$)/.exec(part)?.[1]).find((text) => text);
  return {
    respondAsync: preferences.some((part) => /^respond-async(?:\s*;|$)/.test(part)),
    waitSeconds: wait === undefined ? undefined : Math.min(MAX_WAIT_SECONDS, Number(wait)),
  };
}
