/** `Retry-After` as a delay (RFC 9110 section 10.2.3): seconds, or a date. */

/** A backend may not push a task further away than this; its deadline caps it anyway. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/** Numbers from here on are moments: in seconds, milliseconds, microseconds or nanoseconds. Below, delays: none is thirty years long. */
const EPOCH_SECONDS = 1e9;

/** @returns Unix ms; undefined of a delay */
export function momentOf(number: number): number | undefined {
  if (number < EPOCH_SECONDS) return undefined;
  const power = Math.floor(Math.log10(number / EPOCH_SECONDS) / 3);
  return number * 1000 ** (1 - power);
}

/** @returns milliseconds from `now`, or undefined when the header is missing or not understood */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    const seconds = Math.min(Number.MAX_VALUE, Number(text));
    // Some say when, and not for how long.
    const at = momentOf(seconds);
    const ms = at === undefined ? seconds * 1000 : at - now;
    return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, Math.ceil(ms)));
  }
  // Dates only: Date.parse would also read bare numbers and words.
  if (!/^[A-Z][a-z]{2,8},? /.test(text) && !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  // The oldest of the three forms names no zone (RFC 9110, section 5.6.7).
  const at = Date.parse(/:\d\d \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, at - now));
}
