/** Numbers, times and names as a person reads them: with units, and times relative to now. Pure. */
import type { AlertKind } from '../producer/schema/alert-kinds.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `350 ms`, `4.2 s`, `3 min`, `2 h`, `5 d` */
export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (size < SECOND) return `${Math.round(size)} ms`;
  // Above, one decimal would round to 10.0.
  if (size < 9.95 * SECOND) return `${(size / SECOND).toFixed(1)} s`;
  if (size < 2 * MINUTE) return `${Math.round(size / SECOND)} s`;
  if (size < 2 * HOUR) return `${Math.round(size / MINUTE)} min`;
  if (size < 2 * DAY) return `${Math.round(size / HOUR)} h`;
  return `${Math.round(size / DAY)} d`;
}

/** `in 3 min`, `2 h ago`, `now` */
export function relative(at: number, now: number): string {
  const away = at - now;
  if (Math.abs(away) < SECOND) return 'now';
  return away > 0 ? `in ${duration(away)}` : `${duration(away)} ago`;
}

/** `1,234` or `12.3 k` */
export function count(value: number): string {
  if (value < 10_000) return value.toLocaleString('en');
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0.999 || share < 0.1 ? 1 : 0)} %`;
}

/** `$0.004`, `$12.30` */
export function money(dollars: number): string {
  if (dollars === 0) return '$0';
  return dollars < 0.01 ? `$${dollars.toPrecision(1)}` : `$${dollars.toFixed(2)}`;
}

/** A small document as a person reads it: `service flaky, label customer:acme, not paused`. What is empty says nothing. */
export function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, each]) => {
      if (typeof each === 'boolean') return each ? name : `not ${name}`;
      const text = inWords(each);
      return text === '' ? '' : `${name} ${text}`;
    })
    .filter((text) => text !== '')
    .join(', ');
}

/** `512 B`, `1.4 MB`, `10 GB`, in thousands as the platform counts. */
export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, size)) / 3));
  const value = size / 1000 ** step;
  return `${value >= 10 || step === 0 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

const REASONS: Readonly<Record<string, string>> = {
  queue: 'in the queue',
  scheduled: 'until its start time',
  backoff: 'for its next attempt',
  callback: "for the backend's callback",
  'rate-limited': 'for a rate limit to end',
  'backend-busy': 'for a busy backend',
  'no-key': 'for a free API key',
  'no-server': 'for a server to come',
  'server-busy': 'for a free place at a server',
  paused: 'until its service is resumed',
  'key-refused': 'for an API key that is not refused',
  'flow-limited': 'for its turn in its flow',
  misconfigured: 'for its service to be configured',
};

export function waitingFor(reason: string): string {
  return REASONS[reason] ?? reason.replaceAll('-', ' ');
}

export const ALERT_TITLES: Readonly<Record<AlertKind, string>> = {
  'backlog-late': 'Backlog will end too late',
  'tasks-expiring': 'Tasks are about to expire',
  'failure-rate': 'Many tasks fail',
  'keys-cooling': 'API keys are cooling',
  'keys-refused': 'API keys are refused',
  'circuit-open': 'Servers are not called',
  'service-unreachable': 'Nobody answers',
  'dead-letters': 'Messages were given up on',
  'store-fill': 'A store fills up',
  'sweep-late': 'The sweeper is late',
  'part-away': 'A part does not answer',
};
