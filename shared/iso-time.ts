/**
 * A time as text (ISO 8601), as `Date.prototype.toISOString` writes it. That costs some 8,000 instructions of the runtime, and
 * a task that is shown holds six times: the date is kept, the time of day is put together.
 */

const DAY_MS = 86_400_000;
const MAX_DATES = 64;

/** By days since 1970: `2026-11-28T`. */
const dates = new Map<number, string>();
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

/**
 * @param at Unix ms
 * @throws RangeError when there is no such time
 */
export function isoTime(at: number): string {
  const whole = Math.trunc(at);
  const day = Math.floor(whole / DAY_MS);
  const ms = whole - day * DAY_MS;
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const hour = twoDigits[hours];
  const minute = twoDigits[minutes - hours * 60];
  const second = twoDigits[seconds - minutes * 60];
  return `${dates.get(day) ?? dateOf(day)}${hour}:${minute}:${second}.${threeDigits(ms - seconds * 1000)}Z`;
}

export function isoTimeOrNone(at: number | null): string | undefined {
  return at === null ? undefined : isoTime(at);
}

function threeDigits(number: number): string {
  if (number >= 100) return String(number);
  return number >= 10 ? `0${number}` : `00${number}`;
}

function dateOf(day: number): string {
  const date = new Date(day * DAY_MS).toISOString().slice(0, -'00:00:00.000Z'.length);
  if (dates.size >= MAX_DATES) dates.clear();
  dates.set(day, date);
  return date;
}
