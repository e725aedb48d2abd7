/**
 * What the API answers, from what the account holds. A test holds each against the type that the official `cloudflare`
 * package gives it, so that the stub cannot drift from the API (`test/rehearse/answers.unit.test.ts`).
 */
import type { CloudConsumer, CloudQueue, KeptLine } from './fake-cloudflare.ts';
import { bindingsOf, type Script, type Version } from './script.ts';

export function scriptAnswer({ name, live, migrationTag, settings }: Script) {
  return {
    id: name,
    compatibility_date: live.metadata.compatibility_date,
    compatibility_flags: [...live.metadata.compatibility_flags],
    ...(migrationTag !== undefined && { migration_tag: migrationTag }),
    ...settingsFields(settings),
    tags: null,
  };
}

export function deploymentsAnswer({ name, deployments }: Script) {
  return {
    deployments: deployments.map((versionId, index) => ({
      id: `${name}-${deployments.length - index}`,
      created_on: '2026-11-27T00:00:00Z',
      source: 'api',
      strategy: 'percentage' as const,
      versions: [{ version_id: versionId, percentage: 100 }],
    })),
  };
}

export function versionItem({ id, number, metadata }: Version) {
  return { id, number, metadata: { source: 'api' as const }, annotations: metadata.annotations ?? {} };
}

export function versionAnswer(version: Version) {
  const { compatibility_date, compatibility_flags } = version.metadata;
  return {
    ...versionItem(version),
    resources: {
      bindings: bindingsOf(version),
      script_runtime: { compatibility_date, compatibility_flags: [...compatibility_flags] },
    },
  };
}

export function settingsAnswer({ settings }: Script) {
  return { ...settingsFields(settings), tags: null };
}

/** The account fills in what an upload leaves out. */
function settingsFields({ observability, logpush, tail_consumers }: Script['settings']) {
  return {
    ...(observability !== undefined && {
      observability: { enabled: false, head_sampling_rate: 1, ...observability },
    }),
    logpush: logpush ?? false,
    tail_consumers: (tail_consumers ?? []).map((consumer) => ({ service: String(consumer.service), ...consumer })),
  };
}

export function subdomainAnswer({ hasAddress, hasPreviews }: Script) {
  return { enabled: hasAddress, previews_enabled: hasPreviews };
}

export function schedulesAnswer({ crons }: Script) {
  return { schedules: crons.map((cron) => ({ cron })) };
}

export function domainAnswer(hostname: string, service: string) {
  const [, ...zone] = hostname.split('.');
  return {
    id: `domain-${hostname}`,
    cert_id: 'certificate',
    environment: 'production',
    hostname,
    service,
    zone_id: 'zone',
    zone_name: zone.join('.'),
  };
}

export function queueAnswer({ id, name, settings, consumers }: CloudQueue) {
  return {
    queue_id: id,
    queue_name: name,
    settings,
    consumers: [...consumers.values()].map((consumer) => consumerAnswer(name, consumer)),
    consumers_total_count: consumers.size,
  };
}

export function consumerAnswer(queue: string, { id, script, deadLetterQueue, settings }: CloudConsumer) {
  return {
    consumer_id: id,
    queue_name: queue,
    script_name: script,
    type: 'worker' as const,
    ...(deadLetterQueue !== undefined && { dead_letter_queue: deadLetterQueue }),
    settings,
  };
}

export function metricsAnswer({ backlog }: CloudQueue) {
  return { backlog_count: backlog, backlog_bytes: backlog * 500, oldest_message_timestamp_ms: 0 };
}

export function databaseAnswer(uuid: string, name: string) {
  return { uuid, name, version: 'production' };
}

export function queryAnswer(results: readonly Readonly<Record<string, unknown>>[]) {
  return { results: [...results], success: true };
}

export function bucketAnswer(name: string) {
  return { name, creation_date: '2026-11-27T00:00:00Z' };
}

export function telemetryAnswer(lines: readonly KeptLine[], timeframe: { readonly from: number; readonly to: number }) {
  return {
    run: {
      id: 'run-1',
      accountId: 'account',
      dry: false,
      granularity: 0,
      query: {
        id: 'query-1',
        adhoc: true,
        created: '2026-11-27T00:00:00Z',
        createdBy: 'token',
        description: null,
        name: 'query-1',
        parameters: {},
        updated: '2026-11-27T00:00:00Z',
        updatedBy: 'token',
      },
      status: 'COMPLETED' as const,
      timeframe,
      userId: 'token',
    },
    statistics: { bytes_read: 0, elapsed: 0, rows_read: lines.length },
    events: {
      count: lines.length,
      events: lines.map(({ script, timestamp, line }, index) => ({
        $metadata: { id: `event-${index}`, service: script },
        dataset: 'cloudflare-workers',
        source: { ...line },
        timestamp,
      })),
    },
  };
}
