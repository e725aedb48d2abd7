/**
 * The registry's object as the platform keeps it: the real host with its storage, timer and alarm, under the
 * house's clock. It sleeps when nobody asks it anything, and may be gone from memory at any moment.
 */

import { endTask, giveUpLease } from '../../callback/capacity/places.ts';
import { takeReports } from '../../callback/capacity/report.ts';
import { type Platform, RegistryHost, type SnapshotName } from '../../callback/registry/host.ts';
import type { RegistrySettings } from '../../callback/registry/settings.ts';
import type { Registry } from '../../callback/registry/state.ts';
import { readCatalog } from '../../callback/services/services.ts';
import type { RegistrySession } from '../../shared/registry/routing.ts';

/** An object without events leaves memory after this, with a timer set (`host.ts` has the source). */
const IDLE_MS = 70_000;

/** What the object reaches outside of itself. */
export type Outside = Pick<Platform, 'probe' | 'release' | 'readLines' | 'log'>;

export class RegistryObject implements RegistrySession {
  readonly #settings: RegistrySettings;
  readonly #outside: Outside;
  readonly #stored = new Map<SnapshotName, string>();
  #memory: { readonly host: RegistryHost; readonly registry: Registry } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #alarm: { readonly at: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  #usedAt = 0;

  constructor(settings: RegistrySettings, outside: Outside) {
    this.#settings = settings;
    this.#outside = outside;
  }

  /** What the object has in memory now, for whoever looks at it or changes it beside the protocol. */
  get registry(): Registry {
    return this.#awake().registry;
  }

  route: RegistrySession['route'] = (request) => this.#host().route(request, Math.random);

  reportCalls: RegistrySession['reportCalls'] = (reports) =>
    this.#host().direct((registry, now) => takeReports(registry, reports, now, Math.random));

  giveUp: RegistrySession['giveUp'] = ({ leaseId, expiresAt }) =>
    this.#host().direct((registry, now) => giveUpLease(registry, leaseId, expiresAt, now));

  readServices: RegistrySession['readServices'] = (known) =>
    this.#host().direct((registry) => readCatalog(registry, known));

  endTask(id: string): Promise<void> {
    return this.#host().direct((registry, now) => endTask(registry, id, now));
  }

  /** A change that a person or a server makes; it has happened when this returns. */
  change<Value>(decide: (registry: Registry, now: number) => Value): Value {
    const made: Value[] = [];
    // The host decides before it first waits.
    void this.#host().decide((registry, now) => made.push(decide(registry, now)));
    return made[0] as Value;
  }

  /** Gone from memory, as at a deploy: what was not written is lost. Its alarm stays. */
  evict(): void {
    this.#memory = undefined;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #host(): RegistryHost {
    if (this.#memory !== undefined && Date.now() - this.#usedAt > IDLE_MS) this.evict();
    this.#usedAt = Date.now();
    return this.#awake().host;
  }

  #awake(): { readonly host: RegistryHost; readonly registry: Registry } {
    if (this.#memory !== undefined) return this.#memory;
    this.#usedAt = Date.now();
    let registry: Registry | undefined;
    const host = new RegistryHost(this.#settings, this.#platform());
    host.noteAlarm(this.#alarm?.at);
    // The host hands its state out to whoever asks it something; this asks nothing.
    void host.direct((held) => {
      registry = held;
    });
    if (registry === undefined) throw new Error('the host answers late');
    this.#memory = { host, registry };
    return this.#memory;
  }

  #platform(): Platform {
    return {
      ...this.#outside,
      now: () => Date.now(),
      readSnapshot: (name) => this.#stored.get(name),
      writeSnapshot: (name, text) => void this.#stored.set(name, text),
      setAlarm: async (at) => this.#setAlarm(at),
      setTimer: (afterMs) => {
        if (this.#timer !== undefined) clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#memory?.host.wake(), afterMs);
      },
      inBackground: () => undefined,
    };
  }

  #setAlarm(at: number): void {
    if (this.#alarm !== undefined) clearTimeout(this.#alarm.timer);
    const ring = () => {
      this.#alarm = undefined;
      void this.#host().ring();
    };
    this.#alarm = { at, timer: setTimeout(ring, Math.max(0, at - Date.now())) };
  }
}
