/**
 * Random histories of a fleet: servers come, go, fail, drain and fall silent while batches are routed
 * and reported, or never reported. After every step the promises of the registry must hold.
 */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../bench/registry/seeded-random.ts';
import { expireLeases } from '../../../callback/capacity/places.ts';
import { circuitState } from '../../../callback/registry/servers/circuit.ts';
import { noteChecks, takeDueChecks } from '../../../callback/registry/servers/health-check.ts';
import { claimLeadership } from '../../../callback/registry/servers/heartbeat.ts';
import { isLeader } from '../../../callback/registry/servers/leadership.ts';
import { isAvailable } from '../../../callback/registry/servers/liveness.ts';
import { removeServer, setMaintenance } from '../../../callback/registry/servers/members.ts';
import type { Offer } from '../../../callback/registry/state.ts';
import { setBalancing } from '../../../callback/services/services.ts';
import { BALANCING_ALGORITHMS } from '../../../shared/service/definition.ts';
import { alice, BEAT_MS, Fleet } from './fleet.ts';

const HISTORIES = 40;
const STEPS = 300;
const SERVICE_LIMIT = 20;

/** What the steps of one history work on. */
class History {
  readonly fleet = new Fleet({
    ocr: {},
    limited: { maxConcurrency: SERVICE_LIMIT, balancing: 'round-robin' },
    fixed: { baseUrl: 'https://fixed.example.net', maxConcurrency: SERVICE_LIMIT, requestsPerSecond: 50 },
  });
  readonly random: () => number;
  readonly open: { leaseId: string; answer: ReturnType<Fleet['route']>; service: string }[] = [];
  /** Calls that were given a registered server. */
  routed = 0;
  following = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.fleet.random = this.random;
  }

  pick<Value>(values: readonly Value[]): Value | undefined {
    return values[Math.floor(this.random() * values.length)];
  }

  get ids(): string[] {
    return [...this.fleet.registry.servers.keys()];
  }

  get offers(): Offer[] {
    return [...this.fleet.registry.servers.values()].flatMap(({ offers }) => offers);
  }

  readonly steps: readonly (() => void)[] = [
    () => {
      const services = [{ name: 'ocr' }, { name: 'limited', path: '/limited' }].slice(this.random() < 0.8 ? 0 : 1);
      this.fleet.add(`host-${Math.floor(this.random() * 6)}`, {
        services,
        maxConcurrency: 1 + Math.floor(this.random() * 8),
        weight: 1 + Math.floor(this.random() * 3),
        tier: Math.floor(this.random() * 2),
        wantsHeartbeatLeadership: this.random() < 0.5,
        cluster: this.random() < 0.5 ? 'east' : 'west',
      });
    },
    () => this.beat(),
    () => this.beat(),
    () => {
      const leader = this.pick(this.ids.filter((id) => isLeader(this.fleet.registry, this.fleet.server(id))));
      if (leader === undefined) return;
      this.fleet.lead(leader, Object.fromEntries(this.ids.map((id) => [id, this.random() < 0.8])));
    },
    () => {
      const id = this.pick(this.ids);
      if (id !== undefined) claimLeadership(this.fleet.registry, id, alice, this.fleet.now);
    },
    () => {
      const id = this.pick(this.ids);
      if (id !== undefined && this.random() < 0.2) removeServer(this.fleet.registry, this.fleet.server(id));
    },
    () => {
      const id = this.pick(this.ids);
      if (id === undefined) return;
      setMaintenance(this.fleet.registry, this.fleet.server(id), this.random() < 0.3, this.fleet.now);
    },
    () => void setBalancing(this.fleet.registry, 'ocr', this.pick(BALANCING_ALGORITHMS) ?? ''),
    () => this.check(),
    () => this.route(),
    () => this.route(),
    () => this.route(),
    () => this.report(),
    () => this.report(),
    () => this.report(),
    () => {
      this.fleet.now += Math.floor(this.random() ** 4 * 2 * BEAT_MS);
    },
  ];

  beat(): void {
    for (const id of this.ids) {
      if (this.random() < 0.6) this.fleet.beat(id, { status: this.random() < 0.95 ? 'healthy' : 'unhealthy' });
    }
  }

  check(): void {
    const { registry, now } = this.fleet;
    for (const check of takeDueChecks(registry, now)) {
      noteChecks(registry, [{ ...check, problem: this.random() < 0.7 ? undefined : 'x', isReached: true }], now);
    }
  }

  route(): void {
    const { fleet } = this;
    const service = this.pick(['ocr', 'limited', 'fixed']) ?? 'ocr';
    expireLeases(fleet.registry, fleet.now);
    const before = new Map(this.offers.map((offer) => [offer, circuitState(offer.circuit, fleet.now)]));
    const able = new Set(this.offers.filter((offer) => isAvailable(fleet.registry, offer, fleet.now)));
    const answer = fleet.route(1 + Math.floor(this.random() * 20), {
      service,
      waits: this.random() < 0.3 ? 1 : 0,
      expiresAt: fleet.now + Math.floor(this.random() * 60_000),
      ...(this.random() < 0.5 && {
        requirements: {
          ...(this.random() < 0.3 && { affinityKey: `key-${Math.floor(this.random() * 5)}` }),
          ...(this.random() < 0.2 && { tier: 1 }),
        },
      }),
    });
    for (const decision of answer.decisions) {
      if (decision.is === 'waiting') {
        expect(decision.until ?? Infinity).toBeGreaterThan(fleet.now);
        continue;
      }
      if (decision.is === 'following') {
        const others = answer.decisions.filter((other) => other.is === 'following' && other.call === decision.call);
        expect(others).toEqual([decision]);
        this.following += 1;
        continue;
      }
      if (decision.server === undefined) {
        expect(service).toBe('fixed');
        continue;
      }
      this.routed += 1;
      const offer = fleet.offer(decision.server.id, service);
      expect(able.has(offer)).toBe(true);
      expect(before.get(offer)).not.toBe('open');
    }
    for (const [offer, state] of before) {
      // One probe at a time.
      const routed = answer.decisions.filter(
        (decision) => decision.is === 'routed' && decision.server === offer.address,
      ).length;
      if (state === 'half-open') expect(routed).toBeLessThan(2);
    }
    this.open.push({ leaseId: answer.leaseId, answer, service });
  }

  report(): void {
    const index = Math.floor(this.random() * this.open.length);
    const [batch] = this.open.splice(index, 1);
    if (batch === undefined || this.random() < 0.1) return;
    for (const decision of batch.answer.decisions) {
      const outcome = this.pick(['answered', 'answered', 'failed', 'busy', 'unused'] as const) ?? 'answered';
      const others = batch.answer.servers[batch.service] ?? [];
      const isPassedOver = decision.is === 'routed' && decision.server && this.random() < 0.2;
      const other = isPassedOver ? this.pick(others)?.id : undefined;
      this.fleet.report(batch.leaseId, decision, {
        service: batch.service,
        outcome,
        durationMs: Math.floor(this.random() * 500),
        ...(isPassedOver &&
          other &&
          decision.is === 'routed' &&
          decision.server && { server: other, unreachableServers: [decision.server.id] }),
      });
      // Said twice: changes nothing.
      if (this.random() < 0.05) this.fleet.report(batch.leaseId, decision, { service: batch.service, outcome });
    }
  }

  checkPromises(): void {
    const { registry } = this.fleet;
    const open = [...new Set([...registry.leases.values()].flatMap((lease) => [...lease.open.values()]))];
    for (const server of registry.servers.values()) {
      const places = open.filter(({ offer }) => offer?.server === server).length;
      expect(server.inFlight).toBe(places);
    }
    for (const [name, { running }] of registry.services) {
      expect(running.size).toBe(open.filter(({ service }) => service === name).length);
      if (name !== 'ocr') expect(running.size).toBeLessThanOrEqual(SERVICE_LIMIT);
    }
    const leaders = [...registry.leaders.values()];
    expect(new Set(leaders).size).toBe(leaders.length);
    for (const cluster of ['east', 'west']) {
      const own = [...registry.servers.values()].filter(
        (server) => server.registration.cluster === cluster && isLeader(registry, server),
      );
      expect(own.length).toBeLessThan(2);
    }
  }

  /** @param before limits by server at the time of the pick */
  checkLimits(before: ReadonlyMap<string, number>): void {
    for (const { id, inFlight, registration } of this.fleet.registry.servers.values()) {
      // A server that registers again with a lower limit keeps what runs.
      expect(inFlight).toBeLessThanOrEqual(Math.max(registration.maxConcurrency, before.get(id) ?? 0));
    }
  }
}

describe('any history of a fleet', () => {
  it('keeps the promises of the registry, and gives every place back', () => {
    let routed = 0;
    let following = 0;
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const history = new History(seed);
      for (let step = 0; step < STEPS; step++) {
        const before = new Map([...history.fleet.registry.servers].map(([id, { inFlight }]) => [id, inFlight]));
        history.pick(history.steps)?.();
        history.fleet.now += Math.floor(history.random() * 200);
        history.checkPromises();
        history.checkLimits(before);
        if (history.random() < 0.005) {
          history.fleet.restart();
          history.open.length = 0;
        }
      }
      routed += history.routed;
      following += history.following;
      history.fleet.now += 120_000;
      expireLeases(history.fleet.registry, history.fleet.now);
      expect(history.fleet.registry.leases.size).toBe(0);
      history.checkPromises();
      for (const offer of history.offers) expect([offer.inFlight, offer.server.inFlight]).toEqual([0, 0]);
    }
    expect(routed).toBeGreaterThan(3_000);
    expect(following).toBeGreaterThan(500);
  }, 60_000);
});
