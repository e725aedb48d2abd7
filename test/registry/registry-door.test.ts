/** The ways to the registry: a consumer's ledger session, and the door of the producer. */
import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../callback/ledger.ts';
import { RegistryDoor } from '../../callback/registry/registry-door.ts';
import { RegistrationSchema } from '../../shared/registry/registration.ts';
import { alice } from './fleet.ts';

const door = () => new RegistryDoor(createExecutionContext(), env as never);
const session = () => new Ledger(createExecutionContext(), env as never).open();

const registration = RegistrationSchema.parse({ url: 'https://door.example.net', services: [{ name: 'ocr' }] });
const request = {
  leaseId: 'block of the door test',
  expiresAt: Date.now() + 60_000,
  calls: [{ id: 'a', service: 'ocr', waits: 0 }],
};

describe('the registry', () => {
  it('is one for those who register and for those who call', async () => {
    const registered = await door().register(registration, alice);
    const id = registered.ok ? registered.value.id : '';
    const ledger = await session();
    const { decisions, servers } = await ledger.route(request);
    expect(decisions).toEqual([
      { id: 'a', is: 'routed', server: { id, baseUrl: 'https://door.example.net', tier: 1, capabilities: {} } },
    ]);
    expect(servers.ocr).toHaveLength(1);
    expect(await door().getServer(id, alice)).toMatchObject({ value: { inFlight: 1 } });
    await ledger.reportCalls({
      leaseId: request.leaseId,
      reports: [{ id: 'a', service: 'ocr', server: id, outcome: 'answered', durationMs: 100 }],
    });
    const metrics = await door().getMetrics(id, alice);
    expect(metrics).toMatchObject({ value: { services: [{ name: 'ocr', calls: 1, failures: 0, inFlight: 0 }] } });
    expect(metrics.ok && metrics.value.services[0]?.latencyMs?.p50).toBeGreaterThan(99);
    expect(metrics.ok && metrics.value.services[0]?.latencyMs?.p50).toBeLessThan(106);
  });

  it('tells a consumer of services that were put later, once', async () => {
    const version = await door().putService('late', { baseUrl: 'https://late.example.net' });
    const ledger = await session();
    expect(await ledger.readServices(0)).toMatchObject({ version, services: { late: {} } });
    expect(await ledger.readServices(version)).toBeUndefined();
    const answer = await ledger.route({ ...request, calls: [] });
    expect(answer.servicesVersion).toBe(version);
  });

  it('refuses what is not shaped as agreed', async () => {
    await expect(async () => door().register({ ...registration, weight: -1 }, alice)).rejects.toThrow('weight');
    const ledger = await session();
    await expect(async () => ledger.route({ ...request, leaseId: 'short' })).rejects.toThrow('leaseId');
  });
});
