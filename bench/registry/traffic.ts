/**
 * Calls through the registry's core under a virtual clock, with each balancing algorithm in turn: how
 * they spread over servers, and how long they take when one server is slow. The same arrivals and
 * latencies for every algorithm.
 */

import { takeReports } from '../../callback/capacity/report.ts';
import { route } from '../../callback/capacity/route.ts';
import { register } from '../../callback/registry/servers/members.ts';
import { RegistrationSchema } from '../../shared/registry/registration.ts';
import type { RouteDecision } from '../../shared/registry/routing.ts';
import type { BalancingAlgorithm } from '../../shared/service/definition.ts';
import { CountedObject, OWNER } from './counted-object.ts';
import { seededRandom } from './seeded-random.ts';

export interface TrafficServer {
  readonly name: string;
  readonly weight: number;
  /** Median latency. */
  readonly latencyMs: number;
}

export const SERVERS: readonly TrafficServer[] = [
  { name: 'heavy', weight: 3, latencyMs: 20 },
  { name: 'first', weight: 1, latencyMs: 20 },
  { name: 'second', weight: 1, latencyMs: 20 },
  { name: 'slow', weight: 1, latencyMs: 200 },
];

const MAX_CONCURRENCY = 64;
const CALLS = 30_000;
const CALLS_PER_SECOND = 300;
const BATCH = 10;
const AFFINITY_KEYS = 2_000;
/** Spread of latencies: the standard deviation of their logarithm. */
const LATENCY_SIGMA = 0.3;
const START = Date.UTC(2026, 0, 1);

export interface TrafficReport {
  readonly algorithm: BalancingAlgorithm;
  /** Calls by server, as `SERVERS` stands. */
  readonly calls: readonly number[];
  readonly p50: number;
  readonly p99: number;
  /** Most affinity keys that stayed on one server, of all. */
  readonly keysOnOneServer: number;
}

interface Ending {
  readonly at: number;
  readonly leaseId: string;
  readonly id: string;
  readonly server: number;
  readonly durationMs: number;
}

export async function runTraffic(algorithm: BalancingAlgorithm): Promise<TrafficReport> {
  const random = seededRandom(11);
  const object = new CountedObject({ work: { balancing: algorithm } }, START);
  const ids = await Promise.all(SERVERS.map((server, number) => join(object, server, number)));
  const endings: Ending[] = [];
  const calls = SERVERS.map(() => 0);
  const latencies: number[] = [];
  const homes = new Map<string, Set<number>>();

  const endUntil = async (at: number) => {
    endings.sort((a, b) => a.at - b.at);
    while (endings[0] !== undefined && endings[0].at <= at) {
      const [ending] = endings.splice(0, 1) as [Ending];
      await object.passTimeTo(ending.at);
      const { id, leaseId, durationMs } = ending;
      const report = {
        id,
        service: 'work',
        server: ids[ending.server] ?? '',
        outcome: 'answered',
        durationMs,
      } as const;
      await object.host.direct((registry, now) => takeReports(registry, { leaseId, reports: [report] }, now, random));
    }
    await object.passTimeTo(at);
  };

  for (let batch = 0; batch < CALLS / BATCH; batch++) {
    await endUntil(object.now - Math.log(1 - random()) * ((BATCH / CALLS_PER_SECOND) * 1000));
    const leaseId = `block number ${batch}`.padEnd(16);
    const keys = Array.from({ length: BATCH }, () => `key-${Math.floor(random() * AFFINITY_KEYS)}`);
    const draws = keys.map(() => Math.exp(LATENCY_SIGMA * gaussian(random)));
    const request = {
      leaseId,
      expiresAt: object.now + 60_000,
      calls: keys.map((affinityKey, index) => ({
        id: String(index),
        service: 'work',
        waits: 0,
        requirements: { affinityKey },
      })),
    };
    const { decisions } = await object.host.direct((registry, now) => route(registry, request, now, random));
    for (const [index, decision] of decisions.entries()) {
      const server = ids.indexOf(serverOf(decision));
      const durationMs = (SERVERS[server]?.latencyMs ?? 0) * (draws[index] ?? 1);
      calls[server] = (calls[server] ?? 0) + 1;
      latencies.push(durationMs);
      endings.push({ at: object.now + durationMs, leaseId, id: decision.id, server, durationMs });
      const key = keys[index] ?? '';
      homes.set(key, (homes.get(key) ?? new Set()).add(server));
    }
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.ceil(share * latencies.length) - 1] ?? 0;
  const settled = [...homes.values()].filter(({ size }) => size === 1).length;
  return { algorithm, calls, p50: at(0.5), p99: at(0.99), keysOnOneServer: settled / homes.size };
}

async function join(object: CountedObject, { name, weight }: TrafficServer, number: number): Promise<string> {
  const url = `https://${name}.example.net`;
  const registration = RegistrationSchema.parse({
    url,
    weight,
    maxConcurrency: MAX_CONCURRENCY,
    services: [{ name: 'work' }],
  });
  const id = `srv_${String(number).padStart(16, '0')}`;
  await object.host.decide((registry, now) => register(registry, registration, OWNER, id, now));
  return id;
}

function serverOf(decision: RouteDecision): string {
  if (decision.is !== 'routed' || decision.server === undefined) throw new Error('there is room for every call');
  return decision.server.id;
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
