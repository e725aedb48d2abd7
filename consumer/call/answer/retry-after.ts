/** `Retry-After` as a delay (RFC 9110 section 10.2.3): seconds, or a date. */

/** A backend may not push a task further away than this; its deadline caps it anyway. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/** No delay is thirty years long. */
const EPOCH_SECONDS = 1e9;

/** @returns milliseconds from `now`, or undefined when the header is missing or not understood */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    const seconds = Number(text);
    // Some say when, and not for how long.
    const ms = seconds >= EPOCH_SECONDS && seconds < EPOCH_SECONDS * 10 ? seconds * 1000 - now : seconds * 1000;
    return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, Math.ceil(ms)));
  }
  // Dates only: Date.parse would also read bare numbers and words.
  if (!/^[A-Z][a-z]{2,8},? /.test(text) && !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  // The oldest of the three forms names no zone (RFC 9110, section 5.6.7).
  const at = Date.parse(/:\d\d \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, at - now));
}
