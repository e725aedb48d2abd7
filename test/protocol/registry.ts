/**
 * The registry's object as the platform keeps it: the real host with its storage, timer and alarm, under the
 * house's clock. It sleeps when nobody asks it anything, and may be gone from memory at any moment, and with it
 * whatever it was doing.
 */

import { endTask, giveUpLease } from '../../callback/capacity/places.ts';
import { takeReports } from '../../callback/capacity/report.ts';
import { type Platform, RegistryHost, type SnapshotName } from '../../callback/registry/host.ts';
import type { RegistrySettings } from '../../callback/registry/settings.ts';
import type { Registry } from '../../callback/registry/state.ts';
import { ratesOf } from '../../callback/services/service-rate.ts';
import { readCatalog } from '../../callback/services/services.ts';
import type { RegistrySession } from '../../shared/registry/routing.ts';
import { never } from './clock.ts';
import { Disk, Incarnation } from './incarnation.ts';
import { inTheWorld, Machine } from './machine.ts';

/** An object without events leaves memory after this, with a timer set (`host.ts` has the source). */
const IDLE_MS = 70_000;

/** What the object reaches outside of itself. */
export type Outside = Pick<Platform, 'probe' | 'release' | 'readLines' | 'log'>;

export class RegistryObject implements RegistrySession {
  readonly machine = new Machine();
  readonly disk = new Disk(() => this.#ask((host) => host.ring()));
  /** Of the release that is in force when the object awakes. */
  readonly #settings: () => RegistrySettings;
  readonly #outside: Outside;
  readonly #stored = new Map<SnapshotName, string>();
  readonly #leases = new Map<string, string>();
  #memory: { readonly life: Incarnation<RegistryHost>; readonly registry: Registry } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #usedAt = 0;

  constructor(settings: () => RegistrySettings, outside: Outside) {
    this.#settings = settings;
    this.#outside = outside;
  }

  /** What the object has in memory now, for whoever looks at it or changes it beside the protocol. */
  get registry(): Registry {
    return this.#awake().registry;
  }

  route: RegistrySession['route'] = (request) => this.#ask((host) => host.route(request, Math.random));

  reportCalls: RegistrySession['reportCalls'] = (reports) =>
    this.#ask((host) => host.direct((registry, now) => takeReports(registry, reports, now, Math.random)));

  giveUp: RegistrySession['giveUp'] = ({ leaseId, expiresAt }) =>
    this.#ask((host) => host.direct((registry, now) => giveUpLease(registry, leaseId, expiresAt, now)));

  readServices: RegistrySession['readServices'] = (known) =>
    this.#ask((host) => host.direct((registry) => readCatalog(registry, known)));

  endTask(id: string): Promise<void> {
    return this.#ask((host) => host.direct((registry, now) => endTask(registry, id, now)));
  }

  getServiceRates(names: readonly string[]) {
    return this.#ask((host) => host.direct((registry, now) => ratesOf(registry, names, now)));
  }

  /** A change that a person or a server makes; it has happened when this returns. */
  change<Value>(decide: (registry: Registry, now: number) => Value): Value {
    const made: Value[] = [];
    // The host decides before it first waits.
    this.#ask((host) => host.decide((registry, now) => made.push(decide(registry, now)))).catch(() => undefined);
    return made[0] as Value;
  }

  /** Gone from memory, as at a deploy: what was not written is lost, and what it was asked has no answer. Its alarm stays. */
  evict(): void {
    this.#memory?.life.end();
    this.#memory = undefined;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #ask<Value>(question: (host: RegistryHost) => Promise<Value>): Promise<Value> {
    if (this.#memory !== undefined && Date.now() - this.#usedAt > IDLE_MS) this.evict();
    this.#usedAt = Date.now();
    return this.#awake().life.ask((host) => this.machine.run(() => question(host)));
  }

  #awake(): { readonly life: Incarnation<RegistryHost>; readonly registry: Registry } {
    if (this.#memory !== undefined) return this.#memory;
    this.#usedAt = Date.now();
    const life = new Incarnation((isOver) =>
      this.machine.run(() => new RegistryHost(this.#settings(), this.#platform(isOver))),
    );
    life.host.noteAlarm(this.disk.alarmAt);
    const held: Registry[] = [];
    // The host hands its state out to whoever asks it something; this asks nothing.
    void this.machine.run(() => life.host.direct((registry) => held.push(registry)));
    if (held[0] === undefined) throw new Error('the host answers late');
    this.#memory = { life, registry: held[0] };
    return this.#memory;
  }

  #platform(isOver: () => boolean): Platform {
    const { probe, release, readLines, log } = this.#outside;
    return {
      probe: (checks) => (isOver() ? never() : inTheWorld(() => probe(checks))),
      release: (due) => (isOver() ? never() : inTheWorld(() => release(due))),
      readLines: () => (isOver() ? never() : inTheWorld(readLines)),
      log: (notice) => inTheWorld(() => log(notice)),
      now: () => Date.now(),
      readSnapshot: (name) => this.#stored.get(name),
      writeSnapshot: (name, text) => {
        if (isOver()) return;
        if (this.disk.fails()) this.evict();
        else this.#stored.set(name, text);
      },
      leases: {
        read: () => [...this.#leases.values()],
        write: (id, text) => {
          if (isOver()) return;
          if (this.disk.fails()) this.evict();
          else if (text === undefined) this.#leases.delete(id);
          else this.#leases.set(id, text);
        },
      },
      setAlarm: async (at) => {
        if (!isOver()) this.disk.setAlarm(at);
      },
      setTimer: (afterMs) => {
        if (isOver()) return;
        if (this.#timer !== undefined) clearTimeout(this.#timer);
        const wake = () =>
          void this.#memory?.life.ask((host) => this.machine.run(() => host.wake())).catch(() => undefined);
        this.#timer = setTimeout(wake, afterMs);
      },
      inBackground: () => undefined,
    };
  }
}
