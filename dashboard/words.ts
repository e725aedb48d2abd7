/** Numbers, times and names as a person reads them: with units, and times relative to now. Pure. */
import type { ActName } from '../producer/access.ts';
import type { AlertKind } from '../producer/schema/alert-kinds.ts';
import type { WaitReason } from '../producer/schema/task.ts';
import { lineInWords } from '../shared/capacity/line.ts';
import type { ERROR_CLASSES } from '../shared/task/error-class.ts';

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

/** `1,234` or `12.3K` */
export function count(value: number): string {
  if (value < 10_000) return value.toLocaleString('en');
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

/** `1 task`, `1,234 tasks` */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** What becomes of calls that run while something is closed. */
export function underWay(calls: number): string {
  if (calls === 0) return 'No call is under way';
  return calls === 1 ? 'The call under way ends' : `The ${count(calls)} calls under way end`;
}

/** `12 / s`, `0.4 / s`, `1 / min`, `2 / h`: what happens now and then does not look like never. */
export function rate(perSecond: number): string {
  const [value, unit] =
    perSecond === 0 || perSecond >= 0.1
      ? [perSecond, 's']
      : perSecond * 60 >= 0.1
        ? [perSecond * 60, 'min']
        : [perSecond * 3600, 'h'];
  return `${value >= 10 ? count(Math.round(value)) : String(Number(value.toFixed(1)))} / ${unit}`;
}

/** `98 %`, `99.97 %`, `3.4 %`: what is nearly all or nearly nothing does not look like it. */
export function percent(share: number): string {
  if (share === 0 || share === 1) return `${share * 100} %`;
  const digits = share > 0.99 ? 2 : share < 0.1 ? 1 : 0;
  // Not rounded up to all.
  return `${Math.min(share * 100, 99.99).toFixed(digits)} %`;
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

const REASONS: Readonly<Record<WaitReason, string>> = {
  queue: 'in the queue',
  scheduled: 'until its start time',
  backoff: 'for its next attempt',
  callback: "for the backend's callback",
  'rate-limited': 'for a rate limit to end',
  'backend-busy': 'for a busy backend',
  'no-key': 'for a free API key',
  'no-server': 'for a server to come',
  'server-busy': 'for a free place at a server',
  unreachable: 'for its backend to be reachable',
  paused: 'until its service is resumed',
  'key-refused': 'for an API key that is not refused',
  'lease-too-short': 'for a start that leaves it the time to end',
  'not-started': 'for the next batch, because this one was given up',
  'flow-limited': 'for its turn in its flow',
  misconfigured: 'for its service to be configured: see the log of its consumer',
};

/** What follows "it waits". */
export function waitingFor(reason: string): string {
  return reason in REASONS ? REASONS[reason as WaitReason] : `for ${reason.replaceAll('-', ' ')}`;
}

const ALERT_TITLES: Readonly<Record<AlertKind, string>> = {
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

/** @param target what it is about; empty: of the kind as such */
export function alertTitle(kind: AlertKind, target = ''): string {
  const what = kind === 'backlog-late' ? lineInWords(target) : kind === 'store-fill' ? `store ${target}` : target;
  return target === '' ? ALERT_TITLES[kind] : `${ALERT_TITLES[kind]}: ${what}`;
}

/** A value with the unit of its alert, of which the first word is what is counted. */
export function quantity(value: number, unit: string): string {
  return `${value} ${value === 1 ? unit.replace(/^(address)es\b|^(\w+)s\b/, '$1$2') : unit}`;
}

/** What a silence is of: `*`, or the name of an alert, `failure-rate/ocr`. */
export function silencedText(name: string): string {
  if (name === '*') return 'any alert';
  const [kind = '', ...target] = name.split('/');
  return kind in ALERT_TITLES ? `“${alertTitle(kind as AlertKind, target.join('/'))}”` : name;
}

/** What a person does about tasks that ended so. */
export const ERROR_HELP: Readonly<Record<(typeof ERROR_CLASSES)[number], string>> = {
  http: 'The backend refused it: mend the request or the backend.',
  timeout: 'The backend took too long: give the service a longer timeoutSeconds, or the backend less at a time.',
  network: 'The connection broke: look whether the backend restarts or is overloaded.',
  'callback-timeout':
    'The backend took it on and did not call back: look at its log, or give it a longer callback time-out.',
  callback: 'The backend called back with a failure: its message says why.',
  lost: 'The consumer stopped while it ran: look in its log for exceeded limits of memory or time.',
  'result-too-large':
    'The answer was too large to keep: let the backend answer less, or deploy with a bucket (docs/bodies.md).',
  'result-unreadable':
    'The answer is packed in a way that cannot be looked into: let the backend answer with gzip, or not packed.',
  'payload-missing': 'Its payload is not in the bucket any more: submit it again.',
  unstorable: 'The database did not take what came of it: look in the log of tasklane-callback.',
  deadline: 'Its deadline passed: give the service more capacity, or submit with a longer deadline.',
  'service-deleted': 'Its service was deleted: define it again, then run it again.',
};

const ACT_TEXTS: Readonly<Record<ActName, string>> = {
  'tasks.cancel': 'cancelled many tasks',
  'tasks.redrive': 'ran many tasks again',
  'tasks.purge': 'deleted many tasks',
  'flow.put': 'set the limits of a flow',
  'flow.pause': 'paused a flow',
  'flow.resume': 'resumed a flow',
  'job.abort': 'stopped a job',
  'task.cancel': 'cancelled a task',
  'task.retry': 'ran a task again',
  'task.link': 'made a link to a body',
  'service.put': 'defined a service',
  'service.delete': 'deleted a service',
  'service.pause': 'paused a service',
  'service.resume': 'resumed a service',
  'service.balancing': 'changed how calls are spread',
  'server.register': 'registered a server',
  'server.remove': 'removed a server',
  'server.maintenance': 'drained a server or took it back',
  'key.change': 'changed an API key',
  'token.revoke': 'revoked a token',
  'schedule.delete': 'deleted a schedule',
  'schedule.pause': 'paused a schedule',
  'schedule.resume': 'resumed a schedule',
  'schedule.run': 'ran a schedule now',
  'alerts.set': 'changed the settings of alerts',
  'alerts.test': 'sent a test of the alerts',
  'alerts.silence': 'silenced alerts or ended it',
  'group.close': 'closed a group',
  'group.cancel': 'cancelled a group',
  'webhook.pause': 'paused a webhook',
  'webhook.resume': 'resumed a webhook',
  'checklist.note': 'noted a line of the checklist',
};

/** Of an act as the audit names it; rows of earlier releases may have names of theirs. */
export function actText(act: string): string {
  return act in ACT_TEXTS ? ACT_TEXTS[act as ActName] : act.replace('.', ': ');
}
