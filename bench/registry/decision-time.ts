/** What the decision about one call takes, its report included: the core alone, without RPC, on this machine. */

import { takeReports } from '../../callback/capacity/report.ts';
import { route } from '../../callback/capacity/route.ts';
import { register } from '../../callback/registry/servers/members.ts';
import { RegistrationSchema } from '../../shared/registry/registration.ts';
import type { CallReport } from '../../shared/registry/routing.ts';
import type { BalancingAlgorithm } from '../../shared/service/definition.ts';
import { CountedObject, OWNER } from './counted-object.ts';

const BATCH = 100;
const BATCHES = 100;
const WARM_UP = 50;
const START = Date.UTC(2026, 0, 1);

/** @returns microseconds */
export async function measureDecision(algorithm: BalancingAlgorithm, servers: number): Promise<number> {
  const object = new CountedObject({ work: { balancing: algorithm } }, START);
  for (let number = 0; number < servers; number++) {
    const registration = RegistrationSchema.parse({
      url: `https://server-${number}.example.net`,
      services: [{ name: 'work' }],
      maxConcurrency: BATCH,
    });
    const id = `srv_${String(number).padStart(16, '0')}`;
    await object.host.decide((registry, now) => register(registry, registration, OWNER, id, now));
  }
  for (let batch = 0; batch < WARM_UP; batch++) await runBatch(object, `warm-up ${batch}`);
  const startedAt = performance.now();
  for (let batch = 0; batch < BATCHES; batch++) await runBatch(object, `batch ${batch}`);
  return ((performance.now() - startedAt) * 1000) / (BATCHES * BATCH);
}

async function runBatch(object: CountedObject, leaseId: string): Promise<void> {
  const calls = Array.from({ length: BATCH }, (_, index) => ({
    id: `${leaseId}/${index}`,
    service: 'work',
    waits: 0,
    requirements: { affinityKey: `key-${index}` },
  }));
  const request = { leaseId, expiresAt: object.now + 60_000, calls };
  const { decisions } = await object.host.direct((registry, now) => route(registry, request, now, Math.random));
  const reports = decisions.map(
    (decision): CallReport => ({
      id: decision.id,
      service: 'work',
      outcome: 'answered',
      durationMs: 20,
      ...(decision.is === 'routed' && decision.server !== undefined && { server: decision.server.id }),
    }),
  );
  await object.host.direct((registry, now) => takeReports(registry, { leaseId, reports }, now, Math.random));
}
