/** The ways to the registry: a consumer's ledger session, and the RPC of the producer. */
import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../callback/ledger.ts';
import { RegistryRpc } from '../../../callback/registry/registry-rpc.ts';
import { RegistrationSchema } from '../../../shared/registry/registration.ts';
import { alice } from './fleet.ts';

const rpc = () => new RegistryRpc(createExecutionContext(), env as never);
const session = () => new Ledger(createExecutionContext(), env as never).open();

const registration = RegistrationSchema.parse({ url: 'https://ocr.example.net', services: [{ name: 'ocr' }] });
const request = {
  leaseId: 'block of the RPC test',
  expiresAt: Date.now() + 60_000,
  calls: [{ id: 'a', service: 'ocr', waits: 0 }],
};

describe('the registry', () => {
  it('is one for those who register and for those who call', async () => {
    const registered = await rpc().register(registration, alice);
    const id = registered.ok ? registered.value.id : '';
    const ledger = await session();
    const { decisions, servers } = await ledger.route(request);
    expect(decisions).toEqual([
      { id: 'a', is: 'routed', server: { id, baseUrl: 'https://ocr.example.net', tier: 1, capabilities: {} } },
    ]);
    expect(servers.ocr).toHaveLength(1);
    expect(await rpc().getServer(id, alice)).toMatchObject({ value: { inFlight: 1 } });
    await ledger.reportCalls({
      leaseId: request.leaseId,
      reports: [{ id: 'a', service: 'ocr', server: id, outcome: 'answered', durationMs: 100 }],
    });
    const metrics = await rpc().getMetrics(id, alice);
    expect(metrics).toMatchObject({ value: { services: [{ name: 'ocr', calls: 1, failures: 0, inFlight: 0 }] } });
    expect(metrics.ok && metrics.value.services[0]?.latencyMs?.p50).toBeGreaterThan(99);
    expect(metrics.ok && metrics.value.services[0]?.latencyMs?.p50).toBeLessThan(106);
  });

  it('tells a consumer of services that were put later, once', async () => {
    const version = await rpc().putService('late', { baseUrl: 'https://late.example.net' });
    const ledger = await session();
    expect(await ledger.readServices(0)).toMatchObject({ version, services: { late: {} } });
    expect(await ledger.readServices(version)).toBeUndefined();
    const answer = await ledger.route({ ...request, calls: [] });
    expect(answer.servicesVersion).toBe(version);
  });

  it('refuses what is not shaped as agreed', async () => {
    await expect(async () => rpc().register({ ...registration, weight: -1 }, alice)).rejects.toThrow('weight');
    const ledger = await session();
    await expect(async () => ledger.route({ ...request, leaseId: 'short' })).rejects.toThrow('leaseId');
  });
});
