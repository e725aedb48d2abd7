/** `Retry-After` as a delay (RFC 9110 section 10.2.3): seconds, or a date. */

/** A backend may not push a task further away than this; its deadline caps it anyway. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/** @returns milliseconds from `now`, or undefined when the header is missing or not understood */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.min(MAX_RETRY_AFTER_MS, Math.ceil(Number(text) * 1000));
  // Dates only: Date.parse would also read bare numbers and words.
  if (!/^[A-Z][a-z]{2},? /.test(text) && !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, at - now));
}
