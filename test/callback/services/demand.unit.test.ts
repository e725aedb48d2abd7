import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../bench/registry/seeded-random.ts';
import { Metrics, noteCall, summarize } from '../../../callback/registry/servers/metrics.ts';
import { restoreServices, snapshotServices } from '../../../callback/registry/snapshot.ts';
import { Registry } from '../../../callback/registry/state.ts';
import { viewBalancer, viewServices } from '../../../callback/registry/view.ts';
import { demandOf } from '../../../callback/services/demand.ts';
import {
  deleteService,
  earliestResumeAt,
  endPauses,
  putService,
  readCatalog,
  setBalancing,
  setPaused,
} from '../../../callback/services/services.ts';
import type { ServiceWaiting } from '../../../callback/services/waiting-of-service.ts';
import { Fleet, T0 } from '../registry/fleet.ts';

const NOBODY: ServiceWaiting = { atService: 0, elsewhere: 0, keyWaitSeconds: 0 };

const demand = (fleet: Fleet, inLine = 0, keys: Partial<ServiceWaiting> = {}) => {
  const answer = demandOf(fleet.registry, 'ocr', { ...NOBODY, atService: inLine, ...keys }, fleet.now);
  if (!answer.ok) throw new Error(answer.detail);
  return answer.value;
};

describe('demand', () => {
  it("advises servers by Little's law", () => {
    const fleet = new Fleet();
    fleet.add('a', { maxConcurrency: 4 });
    // Ten calls a second of 1.2 seconds each are twelve at a time: three servers of four places.
    for (let second = 0; second < 60; second++) {
      for (let call = 0; call < 10; call++) fleet.call().report({ durationMs: 1_200 });
      fleet.now += 1_000;
    }
    const view = demand(fleet);
    expect(view.arrivalsPerSecond).toBeCloseTo(10, 0);
    expect(view.meanLatencyMs).toBeCloseTo(1_200, 0);
    expect(view).toMatchObject({ capacity: 4, available: 1, advisedServers: 3, estimatedWaitSeconds: 0 });
  });

  it('counts who waits, estimates how long, and wants them through within a minute', () => {
    const fleet = new Fleet();
    fleet.add('a', { maxConcurrency: 2 });
    const first = fleet.route(2);
    for (const decision of first.decisions) fleet.report(first.leaseId, decision, { durationMs: 3_000 });
    fleet.route(2);
    const view = demand(fleet, 119);
    expect(view).toMatchObject({ inFlight: 2, waiting: 119, estimatedWaitSeconds: 180 });
    // 119 calls of three seconds within a minute are six at a time.
    expect(view.advisedServers).toBe(3);
    // One more waits where it is, for a moment.
    fleet.now += 1_500;
    fleet.route(1);
    expect(demand(fleet, 119)).toMatchObject({ waiting: 120 });
    fleet.now += 300_000;
    expect(demand(fleet, 119)).toMatchObject({ waiting: 119 });
  });

  it('counts a burst once, from its first second to after its first minute', () => {
    const fleet = new Fleet();
    fleet.add('a', { maxConcurrency: 2 });
    fleet.call().report({ durationMs: 3_000 });
    fleet.now += 600_000;
    fleet.route(600);
    for (const afterMs of [0, 1_000, 9_000, 20_000, 30_000, 61_000]) {
      fleet.now = T0 + 600_000 + afterMs;
      // 600 calls of three seconds within a minute are thirty at a time.
      expect([afterMs, demand(fleet, 598).advisedServers]).toEqual([afterMs, 15]);
    }
  });

  it('wants servers for who keeps coming and for who waits', () => {
    const fleet = new Fleet();
    fleet.add('a', { maxConcurrency: 2 });
    fleet.call().report({ durationMs: 3_000 });
    for (let second = 0; second < 60; second++) {
      fleet.route(10);
      fleet.now += 1_000;
    }
    expect(demand(fleet, 300).advisedServers).toBe(Math.ceil(((10 + 300 / 60) * 3) / 2));
    // The same stream, known for five seconds.
    const young = new Fleet();
    young.add('a', { maxConcurrency: 2 });
    young.call().report({ durationMs: 3_000 });
    for (let second = 0; second < 5; second++) {
      young.route(10);
      young.now += 1_000;
    }
    expect(demand(young, 0).advisedServers).toBeGreaterThanOrEqual(12);
  });

  it.each([{ maxConcurrency: 6 }, { requestsPerSecond: 2 }])(
    'advises no servers beyond what the limits of the service let be called: %o',
    (limits) => {
      const fleet = new Fleet();
      fleet.add('a', { maxConcurrency: 2 });
      const first = fleet.route(2);
      for (const decision of first.decisions) fleet.report(first.leaseId, decision, { durationMs: 3_000 });
      expect(demand(fleet, 600).advisedServers).toBeGreaterThan(3);
      putService(fleet.registry, 'ocr', limits);
      // Six calls at a time, on servers of two places.
      expect(demand(fleet, 600).advisedServers).toBe(3);
    },
  );

  it('counts who waits for a key, who is before them, and wants no server for them', () => {
    const fleet = new Fleet();
    fleet.add('a', { maxConcurrency: 4 });
    for (let second = 0; second < 60; second++) {
      fleet.call().report({ durationMs: 1_000 });
      fleet.now += 1_000;
    }
    const advised = demand(fleet).advisedServers;
    expect(demand(fleet, 0, { elsewhere: 2_000, keyWaitSeconds: 1_000.5 })).toMatchObject({
      waiting: 2_000,
      waitingForPlace: 0,
      estimatedWaitSeconds: 1_000.5,
      advisedServers: advised,
    });
    expect(demand(fleet, 0, { elsewhere: 1, keyWaitSeconds: undefined }).estimatedWaitSeconds).toBeUndefined();
  });

  it('knows no wait while nobody is there, and advises a server for those who wait', () => {
    const fleet = new Fleet();
    fleet.route(5);
    expect(demand(fleet, 5)).toMatchObject({
      available: 0,
      capacity: 0,
      waiting: 5,
      estimatedWaitSeconds: undefined,
      advisedServers: 1,
    });
    expect(demandOf(fleet.registry, 'none', NOBODY, fleet.now)).toMatchObject({ ok: false, code: 'service-not-found' });
  });
});

describe('metrics', () => {
  it('give percentiles within five percent, of the last five minutes', () => {
    const metrics = new Metrics();
    const random = seededRandom(5);
    const latencies = Array.from({ length: 5_000 }, () => 5 + random() ** 3 * 2_000);
    for (const latency of latencies) noteCall(metrics, 'answered', latency, T0);
    for (let call = 0; call < 10; call++) noteCall(metrics, 'failed', 50, T0);
    for (let call = 0; call < 5; call++) noteCall(metrics, 'busy', 1, T0);
    const { calls, failures, busy, latencyMs, callsPerSecond } = summarize(metrics, T0 - 100_000, T0);
    expect({ calls, failures, busy }).toEqual({ calls: 5_015, failures: 10, busy: 5 });
    expect(callsPerSecond).toBeCloseTo(50.15, 1);
    latencies.sort((a, b) => a - b);
    for (const [share, value] of [
      [0.5, latencyMs?.p50],
      [0.95, latencyMs?.p95],
      [0.99, latencyMs?.p99],
    ] as const) {
      const exact = latencies[Math.ceil(share * latencies.length) - 1]!;
      expect(Math.abs((value ?? 0) / exact - 1)).toBeLessThan(0.06);
    }
    expect(summarize(metrics, T0, T0 + 299_000).calls).toBe(5_015);
    expect(summarize(metrics, T0, T0 + 331_000)).toMatchObject({ calls: 0, latencyMs: undefined });
  });
});

describe('services', () => {
  it('put at run time win over the file, and their version grows', () => {
    const fleet = new Fleet({ ocr: { balancing: 'random' } });
    fleet.add('a');
    expect(readCatalog(fleet.registry, 0)).toBeUndefined();
    expect(putService(fleet.registry, 'ocr', { balancing: 'weighted', maxConcurrency: 1 })).toBe(1);
    expect(fleet.route(2).servicesVersion).toBe(1);
    expect(fleet.route(1).decisions).toMatchObject([{ why: 'server-busy' }]);
    expect(readCatalog(fleet.registry, 0)).toMatchObject({ version: 1, services: { ocr: { maxConcurrency: 1 } } });
    expect(viewServices(fleet.registry, fleet.now)).toMatchObject([
      { name: 'ocr', source: 'api', balancing: 'weighted', target: 'servers', servers: { total: 1, available: 1 } },
    ]);
    expect(() => putService(fleet.registry, 'ocr', { balancing: 'best' })).toThrow('not valid');
  });

  it('take their balancing from the latest word on it', () => {
    const fleet = new Fleet({ ocr: { balancing: 'random' } });
    const balancing = () => viewServices(fleet.registry, fleet.now)[0]?.balancing;
    setBalancing(fleet.registry, 'ocr', 'sticky');
    expect(balancing()).toBe('sticky');
    putService(fleet.registry, 'ocr', { balancing: 'weighted' });
    expect(balancing()).toBe('weighted');
  });

  it('are deleted when nothing runs or waits, or when forced; the one of the file is back then', () => {
    const fleet = new Fleet({ ocr: { balancing: 'random' } });
    putService(fleet.registry, 'ocr', {});
    fleet.add('a');
    const { leaseId, decisions } = fleet.route(1);
    const remove = (force: boolean, waiting = 0) => deleteService(fleet.registry, 'ocr', force, waiting, fleet.now);
    expect(remove(false)).toMatchObject({ ok: false, code: 'service-busy' });
    fleet.report(leaseId, decisions[0]);
    expect(remove(false, 1)).toMatchObject({ ok: false, code: 'service-busy' });
    expect(remove(true)).toMatchObject({ ok: true });
    expect(viewServices(fleet.registry, fleet.now)).toMatchObject([{ source: 'file', balancing: 'random' }]);
    expect(remove(true)).toMatchObject({ ok: false, code: 'invalid-request' });
    expect(deleteService(fleet.registry, 'none', true, 0, fleet.now)).toMatchObject({ code: 'service-not-found' });
  });

  it('that are gone are told to consumers with the time, until one of the same name is put', () => {
    const fleet = new Fleet({ file: {} });
    const gone = () => {
      const restored = new Registry(fleet.registry.settings);
      restoreServices(restored, snapshotServices(fleet.registry), fleet.now);
      return readCatalog(restored, -1)?.deleted;
    };
    for (const name of ['constructor', 'file', 'back']) putService(fleet.registry, name, {});
    for (const name of ['constructor', 'file', 'back']) deleteService(fleet.registry, name, true, 0, fleet.now);
    putService(fleet.registry, 'back', {});
    expect(gone()).toEqual({ constructor: fleet.now });
    for (let at = 1; at <= 1_000; at++) {
      putService(fleet.registry, `service-${at}`, {});
      deleteService(fleet.registry, `service-${at}`, false, 0, fleet.now + at);
    }
    expect(Object.keys(gone() ?? {})).toHaveLength(1_000);
    expect(Object.hasOwn(gone() ?? {}, 'constructor')).toBe(false);
  });

  it('that are paused say so, and only those that exist can be', () => {
    const fleet = new Fleet();
    expect(setPaused(fleet.registry, 'ocr', {})).toMatchObject({ ok: true });
    expect(viewServices(fleet.registry, fleet.now)).toMatchObject([{ paused: true }]);
    expect(readCatalog(fleet.registry, 0)).toMatchObject({ paused: ['ocr'], pausedUntil: {} });
    setPaused(fleet.registry, 'ocr', { until: fleet.now + 1_000 });
    expect(readCatalog(fleet.registry, 0)).toMatchObject({ paused: ['ocr'], pausedUntil: { ocr: fleet.now + 1_000 } });
    expect(setPaused(fleet.registry, 'none', {})).toMatchObject({ code: 'service-not-found' });
  });

  it('that are paused until some time go on then, also where nobody defines them any more', () => {
    const fleet = new Fleet();
    fleet.registry.catalog.paused.set('of-an-older-file', { until: fleet.now + 1_000 });
    fleet.now += 1_000;
    expect(earliestResumeAt(fleet.registry)).toBe(fleet.now);
    endPauses(fleet.registry, fleet.now);
    expect(earliestResumeAt(fleet.registry)).toBe(Infinity);
    expect(setPaused(fleet.registry, 'of-an-older-file', undefined)).toMatchObject({ code: 'service-not-found' });
  });

  it('of webhooks are paused up to a number for each owner, who takes the room of no other', () => {
    const { registry } = new Fleet();
    const hook = (at: number) => `webhook:hooks.example.com:${at.toString(16).padStart(16, '0')}`;
    for (let at = 0; at < 100; at++) {
      expect(setPaused(registry, hook(at), { owner: 'alice' })).toMatchObject({ ok: true });
    }
    expect(setPaused(registry, hook(100), { owner: 'alice' })).toMatchObject({ ok: false, code: 'invalid-request' });
    expect(setPaused(registry, hook(5), { owner: 'alice', reason: 'again' })).toMatchObject({ ok: true });
    expect(setPaused(registry, hook(101), { owner: 'bob' })).toMatchObject({ ok: true });
    setPaused(registry, hook(5), undefined);
    expect(setPaused(registry, hook(100), { owner: 'alice' })).toMatchObject({ ok: true });
  });

  it('show their balancer: the picks of each server', () => {
    const fleet = new Fleet({ ocr: { balancing: 'round-robin' }, fixed: { baseUrl: 'https://fixed.example.net' } });
    const ids = [fleet.add('a'), fleet.add('b')];
    fleet.route(5);
    expect(viewBalancer(fleet.registry).services).toMatchObject([
      {
        service: 'ocr',
        algorithm: 'round-robin',
        servers: [
          { id: ids[0], picked: 3, inFlight: 3 },
          { id: ids[1], picked: 2, inFlight: 2 },
        ],
      },
    ]);
  });
});
