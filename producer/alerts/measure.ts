/**
 * From what was observed to what is measured: a value for each thing that may be wrong, in words that say what
 * it is and what helps: pages are those of the dashboard, times are written so that it can show them relative to now.
 * Pure. What could not be observed is named, so that no alert ends for lack of an answer.
 */
import { lineInWords, targetOfLine } from '../../shared/capacity/line.ts';
import { isoTime } from '../../shared/iso-time.ts';
import type { KeyView } from '../../shared/key/rpc.ts';
import type { ServerView, ServiceView } from '../../shared/registry/rpc.ts';
import type { Tally } from '../../shared/statistics/tally.ts';
import { counterOf } from '../../shared/statistics/tally.ts';
import type { LineDeadline, NearDeadline } from '../../shared/store/alerts.ts';
import type { StoreStatus } from '../../shared/store/fill.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import type { AlertKind } from '../schema/alert-kinds.ts';
import type { Backlog } from '../schema/statistics.ts';

export interface Measure {
  readonly kind: AlertKind;
  /** Of what: a line, a service, a pool, a store. Empty where there is one. */
  readonly target: string;
  readonly value: number;
  readonly summary: string;
  readonly remedy: string;
}

/** Undefined: not known this time. */
export interface Observed {
  readonly backlog: Backlog | undefined;
  readonly deadlines: readonly LineDeadline[] | undefined;
  readonly near: readonly NearDeadline[] | undefined;
  /** By service, of this hour and the one before. */
  readonly tallies: readonly Tally[] | undefined;
  readonly hour: number;
  /** Not all of them where a shard does not answer, or has not been asked yet. */
  readonly keys: {
    readonly views: readonly KeyView[];
    readonly areAll: boolean;
    readonly awayShards: readonly number[];
  };
  readonly servers: readonly ServerView[] | undefined;
  readonly services: readonly ServiceView[] | undefined;
  readonly deadLetters: number | undefined;
  readonly stores: readonly StoreStatus[] | undefined;
  /** Unix ms; undefined: no round has been noted. */
  readonly sweptAt: number | undefined;
  /** Since when rounds are waited for, Unix ms. */
  readonly watchedSince: number;
}

export interface Measured {
  readonly measures: readonly Measure[];
  /** Of these kinds nothing is known this time. */
  readonly unknown: ReadonlySet<AlertKind>;
}

/** A rate of fewer tasks says little. */
const MIN_ENDED = 20;

/** A task is about to expire when less than a fifth of its time is left. */
const SHARE_LEFT = 5;

const KEY_KINDS = ['keys-cooling', 'keys-refused'] as const;

const MINUTE_MS = 60_000;

export function measure(observed: Observed, now: number): Measured {
  const unknown = new Set<AlertKind>();
  const known = <Value>(value: Value | undefined, kinds: readonly AlertKind[], of: (value: Value) => Measure[]) => {
    if (value !== undefined) return of(value);
    for (const kind of kinds) unknown.add(kind);
    return [];
  };
  if (!observed.keys.areAll) for (const kind of KEY_KINDS) unknown.add(kind);
  const { backlog, deadlines, near, tallies, hour, keys, servers, services, deadLetters, stores } = observed;
  const measures = [
    ...known(deadlines && backlog && { deadlines, backlog }, ['backlog-late'], (both) => lateLines(both, now)),
    ...known(near, ['tasks-expiring'], (tasks) => expiring(tasks, now)),
    ...known(tallies, ['failure-rate'], (rows) => failureRates(rows, hour)),
    ...poolsShort(keys.views),
    ...known(servers, ['circuit-open'], openCircuits),
    ...known(services, ['service-unreachable'], unreachableServices),
    ...known(deadLetters, ['dead-letters'], deadLetterMeasure),
    ...known(stores, ['store-fill'], fullStores),
    sweepMeasure(observed, now),
    ...partsAway(observed),
  ];
  return { measures, unknown };
}

function lateLines(
  { deadlines, backlog }: { deadlines: readonly LineDeadline[]; backlog: Backlog },
  now: number,
): Measure[] {
  const rowsOf = Map.groupBy(deadlines, ({ line }) => line);
  return backlog.lines.flatMap(({ line, tasks, perSecond }) => {
    const rows = rowsOf.get(line) ?? [];
    if (perSecond === undefined || perSecond <= 0) return [];
    // Of a line longer than was counted, its end at the earliest.
    const endAt = now + Math.ceil((tasks / perSecond) * 1000);
    const startOf = (ahead: number) => now + (ahead / perSecond) * 1000;
    const late = rows.filter((row) => row.is_last === 0 && startOf(row.ahead) > row.deadline_at).length;
    const lastDeadline = Math.max(0, ...rows.filter((row) => row.is_last === 1).map((row) => row.deadline_at));
    const lateAtEnd = lastDeadline === 0 ? 0 : Math.ceil(Math.max(0, endAt - lastDeadline) * (perSecond / 1000));
    const value = Math.min(tasks, Math.max(late, lateAtEnd));
    return [
      {
        kind: 'backlog-late' as const,
        target: line,
        value,
        summary: `About ${value} of ${counted(tasks, 'task')} that ${tasks === 1 ? 'waits' : 'wait'} for ${lineInWords(line)} will not start before their deadline: at ${rounded(perSecond)} a second the last one starts ${isoTime(endAt)}.`,
        remedy: `${MORE_CAPACITY[targetOfLine(line)?.kind ?? 'service']} Cancel what is no longer wanted under Redrive.`,
      },
    ];
  });
}

/** What makes a line shorter, by what its tasks wait for. */
const MORE_CAPACITY = {
  pool: 'Deploy more keys of the pool (docs/keys.md), or raise the limit at the provider.',
  service:
    'On the page of the service: resume it if it is paused, and take back servers that are drained; or start more servers.',
  flow: 'Raise the limits of the flow under Flows, or resume it there if it is paused.',
} as const;

function expiring(tasks: readonly NearDeadline[], now: number): Measure[] {
  const soon = tasks.filter(({ id, deadline_at, life_ms }) => {
    const lifeMs = life_ms ?? deadline_at - taskCreatedAt(id);
    return (deadline_at - now) * SHARE_LEFT < lifeMs;
  });
  return [...Map.groupBy(soon, ({ service }) => service)].map(([service, group]) => ({
    kind: 'tasks-expiring',
    target: service,
    value: group.length,
    summary: `${counted(group.length, 'task')} of ${service} will expire soon: nothing runs ${group.length === 1 ? 'it' : 'them'}, and less than a fifth of the time until the deadline is left.`,
    remedy:
      'The page of the service says what they wait for and what would help. Submit with a longer deadline if they may wait.',
  }));
}

function failureRates(rows: readonly Tally[], hour: number): Measure[] {
  return [...Map.groupBy(rows, ({ name }) => name)].flatMap(([service, hours]) => {
    const sum = (tallies: readonly Tally[]) => {
      const of = (counter: 'succeeded' | 'failed' | 'expired') =>
        tallies.reduce((total, tally) => total + counterOf(tally, counter), 0);
      const failed = of('failed') + of('expired');
      return { failed, ended: failed + of('succeeded') };
    };
    const present = sum(hours.filter((tally) => tally.hour === hour));
    const { failed, ended } = present.ended >= MIN_ENDED ? present : sum(hours);
    if (ended < MIN_ENDED) return [];
    const value = Math.round((failed / ended) * 1000) / 10;
    return [
      {
        kind: 'failure-rate' as const,
        target: service,
        value,
        summary: `${value}% of the last ${ended} tasks of ${service} failed or expired.`,
        remedy:
          'The page of the service groups them by error and says what helps. Pause the service there while its backend is mended; run the tasks again afterwards under Redrive.',
      },
    ];
  });
}

function poolsShort(keys: readonly KeyView[]): Measure[] {
  return [...Map.groupBy(keys, ({ pool }) => pool)].flatMap(([pool, group]): Measure[] => {
    const cooling = group.filter(({ state }) => state === 'cooling');
    const refused = group.filter(({ state, why }) => state === 'disabled' && why?.startsWith('refused'));
    const usable = group.length - refused.length;
    const soonest = Math.min(...cooling.map(({ until }) => until ?? Number.POSITIVE_INFINITY));
    const when = Number.isFinite(soonest) ? `; the first is ready ${isoTime(soonest)}` : '';
    return [
      {
        kind: 'keys-cooling',
        target: pool,
        value: usable === 0 ? 0 : Math.round((cooling.length / usable) * 100),
        summary: `${cooling.length} of ${counted(usable, 'key')} of the pool ${pool} ${isOrAre(cooling.length)} cooling${when}.`,
        remedy:
          'Tasks wait and go on by themselves. If it lasts, deploy more keys (docs/keys.md), or raise the limit at the provider.',
      },
      {
        kind: 'keys-refused',
        target: pool,
        value: refused.length,
        summary: `The provider refuses ${counted(refused.length, 'key')} of the pool ${pool}.`,
        remedy:
          'See which under Keys, and why in the provider’s console (revoked, unpaid, restricted). Deploy new values, or press Enable once the provider takes them again.',
      },
    ];
  });
}

function openCircuits(servers: readonly ServerView[]): Measure[] {
  const circuits = servers.flatMap(({ url, services }) =>
    services.map(({ name, circuit }) => ({ url, service: name, isOpen: circuit.state !== 'closed' })),
  );
  return [...Map.groupBy(circuits, ({ service }) => service)].map(([service, group]) => {
    const open = group.filter(({ isOpen }) => isOpen);
    return {
      kind: 'circuit-open',
      target: service,
      value: open.length,
      summary: `${open.length} of ${counted(group.length, 'server')} of ${service} ${isOrAre(open.length)} not called because calls failed: ${open
        .map(({ url }) => url)
        .slice(0, 3)
        .join(', ')}.`,
      remedy:
        'The page of the service says why. They are tried again by themselves; drain one there that stays broken.',
    };
  });
}

function unreachableServices(services: readonly ServiceView[]): Measure[] {
  return services.map(({ name, unreachable }) => ({
    kind: 'service-unreachable',
    target: name,
    value: unreachable === undefined ? 0 : 1,
    summary: `Nobody answers at the address of ${name}: ${unreachable?.why ?? 'unknown'}.`,
    remedy:
      'Look whether the backend runs and the address is right. Tasks wait and are tried by themselves; pause the service on its page if it takes long.',
  }));
}

function deadLetterMeasure(messages: number): Measure[] {
  const summary = `The platform gave up on ${counted(messages, 'message')} within the last two hours.`;
  const remedy =
    'Their tasks go on by themselves within minutes. Look in the logs of the Workers tasklane-consumer-N, in the Cloudflare dashboard, for `batch.failed` and `consumer.misconfigured`: they say why.';
  return [{ kind: 'dead-letters', target: '', value: messages, summary, remedy }];
}

function fullStores(stores: readonly StoreStatus[]): Measure[] {
  return stores.map(({ store, state, usedPercent = 0, daysLeft }) => ({
    kind: 'store-fill',
    target: String(store),
    value: state === 'away' ? 100 : usedPercent,
    summary:
      state === 'away'
        ? `Store ${store} does not answer.`
        : `Store ${store} is ${usedPercent}% full${daysLeft === undefined ? '' : `, with ${counted(daysLeft, 'day')} left`}.`,
    remedy:
      state === 'away'
        ? 'Its tasks go on when it answers. See its database under D1 in the Cloudflare dashboard, and www.cloudflarestatus.com.'
        : 'Deploy with one more store (docs/scaling.md), or with a lower BODY_RETENTION_DAYS or RETENTION_DAYS.',
  }));
}

function sweepMeasure({ sweptAt, watchedSince }: Observed, now: number): Measure {
  const value = Math.floor((now - (sweptAt ?? watchedSince)) / MINUTE_MS);
  return {
    kind: 'sweep-late',
    target: '',
    value,
    summary: `The minute’s round of the callback Worker was last seen ${counted(value, 'minute')} ago.`,
    remedy:
      'See the cron trigger and the logs of the Worker tasklane-callback in the Cloudflare dashboard; `npm run deploy` sets the trigger again. Tasks whose wake-up is lost wait for it.',
  };
}

function partsAway({ backlog, keys, servers, tallies }: Observed): Measure[] {
  const parts: readonly (readonly [string, boolean])[] = [
    ['registry', servers === undefined],
    ['consumers', keys.awayShards.length > 0],
    ['control database', tallies === undefined],
    ['queues', backlog === undefined || backlog.unavailableQueues.length > 0],
  ];
  return parts.map(([part, isAway]) => ({
    kind: 'part-away',
    target: part,
    value: isAway ? 1 : 0,
    summary: `The ${part} did not answer the minute’s look.`,
    remedy:
      'Look in the logs of the Worker tasklane-producer, in the Cloudflare dashboard, for `upstream.failed`, and at www.cloudflarestatus.com.',
  }));
}

function rounded(value: number): number {
  return value >= 10 ? Math.round(value) : Math.round(value * 100) / 100;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function isOrAre(count: number): string {
  return count === 1 ? 'is' : 'are';
}
