/**
 * What a day costs in storage writes: servers that heartbeat every 30 seconds, with a leader or each
 * for itself, after they have registered; calls go on all day, and the object is evicted once.
 */

import { takeReports } from '../../callback/capacity/report.ts';
import { route } from '../../callback/capacity/route.ts';
import { heartbeat, heartbeatCluster } from '../../callback/registry/servers/heartbeat.ts';
import { register } from '../../callback/registry/servers/members.ts';
import { RegistrationSchema } from '../../shared/registry/registration.ts';
import { CountedObject, OWNER, type Writes } from './counted-object.ts';

const SECOND_MS = 1_000;
const BEAT_MS = 30 * SECOND_MS;
const HOUR_MS = 3_600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 0, 1);

export type Fleet = 'led' | 'checked' | 'unreachable';

export interface StorageDay {
  readonly servers: number;
  readonly fleet: Fleet;
  /** Once, while they register and the first hour passes. */
  readonly start: Writes;
  readonly day: Writes;
}

export async function runStorageDay(servers: number, fleet: Fleet): Promise<StorageDay> {
  const object = new CountedObject({ work: {} }, START, fleet === 'checked');
  const ids: string[] = [];
  for (let number = 0; number < servers; number++) {
    ids.push(await join(object, number, fleet === 'led'));
    await object.passTimeTo(object.now + 3 * SECOND_MS);
  }
  await liveUntil(object, ids, fleet, object.now + HOUR_MS);
  const start = { ...object.writes };
  const end = object.now + DAY_MS;
  await liveUntil(object, ids, fleet, object.now + DAY_MS / 2);
  object.evict();
  await liveUntil(object, ids, fleet, end);
  return {
    servers,
    fleet,
    start,
    day: { rows: object.writes.rows - start.rows, alarms: object.writes.alarms - start.alarms },
  };
}

async function join(object: CountedObject, number: number, wantsHeartbeatLeadership: boolean): Promise<string> {
  const registration = RegistrationSchema.parse({
    url: `https://server-${number}.example.net`,
    services: [{ name: 'work', version: '1.0.0' }],
    capabilities: { gpu: true },
    wantsHeartbeatLeadership,
  });
  const id = `srv_${String(number).padStart(16, '0')}`;
  const answer = await object.host.decide((registry, now) => register(registry, registration, OWNER, id, now));
  if (!answer.ok) throw new Error(answer.detail);
  return id;
}

async function liveUntil(object: CountedObject, ids: readonly string[], fleet: Fleet, end: number): Promise<void> {
  const [leader] = ids;
  while (object.now < end) {
    const round = object.now;
    if (fleet === 'led' && leader !== undefined) {
      const members = ids.slice(1).map((id) => ({ id, up: true }));
      await object.host.decide((registry, now) => heartbeatCluster(registry, { leader, members }, OWNER, now));
    } else {
      for (const id of ids) {
        await object.host.decide((registry, now) => heartbeat(registry, id, { status: 'healthy' }, OWNER, now));
      }
    }
    await callOnce(object);
    await object.passTimeTo(round + BEAT_MS);
  }
}

/** One call, so that places and latencies move too. */
async function callOnce(object: CountedObject): Promise<void> {
  const leaseId = `block at ${object.now}`;
  const calls = [{ id: 'call', service: 'work', waits: 0 }];
  const request = { leaseId, expiresAt: object.now + BEAT_MS, calls };
  const { decisions } = await object.host.direct((registry, now) => route(registry, request, now, Math.random));
  const [decision] = decisions;
  if (decision?.is !== 'routed' || decision.server === undefined) throw new Error('a healthy fleet takes a call');
  const report = {
    id: 'call',
    service: 'work',
    server: decision.server.id,
    outcome: 'answered',
    durationMs: 20,
  } as const;
  await object.host.direct((registry, now) => takeReports(registry, { leaseId, reports: [report] }, now, Math.random));
}
