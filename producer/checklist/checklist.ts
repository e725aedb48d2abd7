/**
 * What a deployment should have before people rely on it, from what it knows of itself. Pure. What only its outside
 * shows (https, headers, other environments) `npm run doctor` looks at.
 */
import type { SecretReport } from '../../shared/auth/secret-strength.ts';
import { INLINE_LIMIT } from '../../shared/task/content.ts';

/** Tried by people, and noted by them: nothing in a deployment could know. */
export const NOTED_ITEMS = ['backup', 'restore', 'rollback'] as const;
export type NotedItem = (typeof NOTED_ITEMS)[number];

export interface Note {
  /** Unix ms. */
  readonly at: number;
  readonly by: string;
  readonly note?: string | undefined;
}

export interface DeploymentFacts {
  readonly secrets: readonly SecretReport[] | undefined;
  /** Secrets of a rotation that is under way. */
  readonly previousSecrets: readonly string[];
  readonly publicUrl: string | undefined;
  readonly allowsPrivateTargets: boolean;
  readonly plainServices: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly limits: Readonly<Record<'REQUESTS_BY_ADDRESS' | 'REQUESTS_BY_TOKEN' | 'WRONG_TOKENS', boolean>>;
  readonly alerts:
    | { readonly hasReceiver: boolean; readonly testedAt: number | undefined; readonly evaluatedAt: number | undefined }
    | undefined;
  /** Unix ms; `none`: never. */
  readonly sweptAt: number | 'none' | undefined;
  readonly storeWarnings: readonly string[];
  /** The bucket of large bodies; `none`: the deployment has none. */
  readonly bodies: 'none' | 'answers' | 'away';
  readonly notes: Readonly<Partial<Record<NotedItem, Note>>> | undefined;
}

export interface ChecklistItem {
  readonly item: string;
  readonly state: 'ok' | 'missing' | 'unknown';
  readonly says: string;
  /** What to do about it. */
  readonly remedy?: string;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const ROUND_LATE_MS = 5 * MINUTE_MS;
const TEST_HOLDS_DAYS = 90;
const NOTE_HOLDS_DAYS: Readonly<Record<NotedItem, number>> = { backup: 8, restore: 180, rollback: 180 };

export function checklist(facts: DeploymentFacts, now: number): ChecklistItem[] {
  return [
    ...secretItems(facts),
    item(
      'https',
      facts.publicUrl?.startsWith('https://') === true,
      `PUBLIC_URL is ${facts.publicUrl ?? 'not set'}`,
      'Deploy: the address is https then. Tokens must not travel in the clear.',
    ),
    item(
      'private-targets',
      !facts.allowsPrivateTargets,
      facts.allowsPrivateTargets ? 'ALLOW_PRIVATE_TARGETS is on' : 'private addresses cannot be called',
      'Leave ALLOW_PRIVATE_TARGETS to the local run: with it a task may be aimed at private networks.',
    ),
    item(
      'backends-https',
      facts.plainServices.length === 0,
      facts.plainServices.length === 0
        ? 'every fixed address is https'
        : `plain http: ${facts.plainServices.join(', ')}`,
      'Give these services an https baseUrl: keys and payloads travel to them.',
    ),
    corsItem(facts.corsOrigins),
    limitsItem(facts.limits),
    ...alertItems(facts.alerts, now),
    sweepItem(facts.sweptAt, now),
    item(
      'storage',
      facts.storeWarnings.length === 0,
      facts.storeWarnings.length === 0 ? 'every store answers and has room' : facts.storeWarnings.join('; '),
      'Lower BODY_RETENTION_DAYS or RETENTION_DAYS, or add a store (docs/scaling.md).',
    ),
    item(
      'bodies',
      facts.bodies !== 'away',
      BODIES_SAY[facts.bodies],
      `See the bucket in the platform's dashboard, and r2_buckets in wrangler.toml (docs/bodies.md): what is above ${INLINE_LIMIT} waits for it.`,
    ),
    ...NOTED_ITEMS.map((name) => notedItem(name, facts.notes, now)),
  ];
}

const BODIES_SAY: Readonly<Record<DeploymentFacts['bodies'], string>> = {
  none: `no bucket: bodies above ${INLINE_LIMIT} are refused`,
  answers: 'the bucket of large bodies answers',
  away: 'the bucket of large bodies does not answer',
};

function item(name: string, isOk: boolean, says: string, remedy: string): ChecklistItem {
  return isOk ? { item: name, state: 'ok', says } : { item: name, state: 'missing', says, remedy };
}

function unknown(name: string, says: string): ChecklistItem {
  return { item: name, state: 'unknown', says, remedy: 'Ask again; the log says what did not answer.' };
}

function secretItems({ secrets, previousSecrets }: DeploymentFacts): ChecklistItem[] {
  if (secrets === undefined) return [unknown('secrets-strong', 'the callback Worker did not answer')];
  const weak = secrets.flatMap(({ name, weakness }) => (weakness === undefined ? [] : [`${name}: ${weakness}`]));
  const known = secrets.filter(({ fingerprint }) => fingerprint !== undefined);
  const shared = [...Map.groupBy(known, ({ fingerprint }) => fingerprint).values()]
    .filter((group) => group.length > 1)
    .map((group) => group.map(({ name }) => name).join(' and '));
  return [
    item(
      'secrets-strong',
      weak.length === 0,
      weak.length === 0 ? `${secrets.map(({ name }) => name).join(', ')} look random` : weak.join('; '),
      'Replace them with `openssl rand -base64 48` each (docs/operating.md, "Rotating secrets and keys").',
    ),
    item(
      'secrets-apart',
      shared.length === 0,
      shared.length === 0 ? 'each has a purpose of its own' : `the same: ${shared.join('; ')}`,
      'Give each its own value: who learns one must not have the others.',
    ),
    item(
      'rotation-ended',
      previousSecrets.length === 0,
      previousSecrets.length === 0 ? 'no rotation is under way' : `still accepted: ${previousSecrets.join(', ')}`,
      'Remove the previous secret once nothing signed with it is left: deploy with it set to nothing.',
    ),
  ];
}

function corsItem(origins: readonly string[]): ChecklistItem {
  const plain = origins.filter((origin) => !origin.startsWith('https://'));
  const allowed = origins.length === 0 ? 'no other origin may read answers' : `allowed: ${origins.join(', ')}`;
  return item(
    'cors',
    plain.length === 0,
    plain.length === 0 ? allowed : `plain origins: ${plain.join(', ')}`,
    'Take them out of CORS_ORIGINS: whoever is on the network there can be that page.',
  );
}

function limitsItem(limits: DeploymentFacts['limits']): ChecklistItem {
  const missing = Object.entries(limits).flatMap(([name, isBound]) => (isBound ? [] : [name]));
  return item(
    'limits',
    missing.length === 0,
    missing.length === 0 ? 'requests and wrong tokens are counted' : `not bound: ${missing.join(', ')}`,
    'Bind them under [env.producer] ratelimits in wrangler.toml; the local run leaves the counts of requests out.',
  );
}

function alertItems(alerts: DeploymentFacts['alerts'], now: number): ChecklistItem[] {
  if (alerts === undefined) return [unknown('alerts', 'the settings cannot be read')];
  const { hasReceiver, testedAt, evaluatedAt } = alerts;
  const isTested = testedAt !== undefined && now - testedAt < TEST_HOLDS_DAYS * DAY_MS;
  const says = !hasReceiver
    ? 'nobody is told'
    : isTested
      ? `tested ${ago(testedAt, now)}`
      : 'its receiver is not tested';
  const isLooking = evaluatedAt !== undefined && now - evaluatedAt < ROUND_LATE_MS;
  return [
    item(
      'alerts',
      hasReceiver && isTested,
      says,
      'PUT /api/alerts/settings { "url": … }, then POST /api/alerts/test (or the dashboard, Alerts).',
    ),
    item(
      'alerts-round',
      isLooking,
      evaluatedAt === undefined ? 'nothing was looked at yet' : `last looked ${ago(evaluatedAt, now)}`,
      "The producer's cron looks every minute: see its triggers in the platform's dashboard, and deploy again.",
    ),
  ];
}

function sweepItem(sweptAt: DeploymentFacts['sweptAt'], now: number): ChecklistItem {
  if (sweptAt === undefined) return unknown('sweep', 'the database did not answer');
  return item(
    'sweep',
    sweptAt !== 'none' && now - sweptAt < ROUND_LATE_MS,
    sweptAt === 'none' ? 'it has not run yet' : `last seen ${ago(sweptAt, now)}`,
    "The callback Worker's cron wakes what nothing else wakes: see its triggers in the platform's dashboard.",
  );
}

function notedItem(name: NotedItem, notes: DeploymentFacts['notes'], now: number): ChecklistItem {
  if (notes === undefined) return unknown(name, 'the notes cannot be read');
  const found = notes[name];
  const days = NOTE_HOLDS_DAYS[name];
  return item(
    name,
    found !== undefined && now - found.at < days * DAY_MS,
    found === undefined ? 'never noted' : `noted ${ago(found.at, now)} by ${found.by}`,
    `${REMEDIES[name]} Then note it: npm run doctor -- --note ${name}. It holds for ${days} days.`,
  );
}

const REMEDIES: Readonly<Record<NotedItem, string>> = {
  backup: 'Export the databases (docs/operating.md, "Backup and restore").',
  restore: 'Restore an export into an empty database and look at it.',
  rollback: 'Deploy the release before and this one again, on a preview or on staging.',
};

function ago(at: number, now: number): string {
  const minutes = Math.max(0, Math.round((now - at) / MINUTE_MS));
  if (minutes < 120) return `${minutes} min ago`;
  return minutes < 2_880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1_440)} days ago`;
}
