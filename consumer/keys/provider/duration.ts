/** Durations as Go and Google write them, and as sentences have them; and bare numbers. Pure. */

/** A number that is not negative, also where it is written as a text. */
export function amountOf(value: unknown): number | undefined {
  const amount = typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value.trim()) ? Number(value) : value;
  return typeof amount === 'number' && amount >= 0 && Number.isFinite(amount) ? amount : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** `1s`, `6m0s`, `1h2m3.5s`, `120ms`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[dhms]))+$/.test(text)) return undefined;
  return sumMs(text.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g));
}

const PIECE = '(\\d+(?:\\.\\d+)?) ?(ms|millisecond|second|sec|s|minute|min|m|hour|hr|h|day|d)s?(?![a-z])';
const WAIT = new RegExp(
  `\\b(?:again|retry|wait|resets?|replenished)\\b[a-z ]{0,20}? ((?:${PIECE.replaceAll('(\\d', '(?:\\d').replace('(ms', '(?:ms')}(?:,? and |, | )?)+)`,
  'i',
);

/** Azure's `2.12:30:45` and `12:30:45`. */
const CLOCK = /\breplenished in (?:(\d+)\.)?(\d\d):(\d\d):(\d\d)\b/i;

/** `Please try again in 6m12s`, `retry after 7 seconds`, `resets in 3 hours 5 minutes`; undefined where nothing of the kind is said. */
export function waitInProseMs(sentence: string): number | undefined {
  const clock = CLOCK.exec(sentence);
  if (clock !== null) {
    const [days = 0, hours = 0, minutes = 0, seconds = 0] = clock.slice(1).map((part) => Number(part ?? 0));
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000;
  }
  const wait = WAIT.exec(sentence)?.[1];
  return wait === undefined ? undefined : sumMs(wait.matchAll(new RegExp(PIECE, 'gi')));
}

function sumMs(pieces: Iterable<RegExpExecArray>): number {
  let total = 0;
  for (const [, amount, unit = ''] of pieces) {
    total += Number(amount) * (UNIT_MS[shortUnit(unit.toLowerCase())] ?? 0);
  }
  return Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(total));
}

function shortUnit(unit: string): string {
  return unit.startsWith('ms') || unit.startsWith('milli') ? 'ms' : unit.charAt(0);
}
