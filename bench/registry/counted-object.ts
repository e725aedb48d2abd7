/**
 * The registry as its object runs it, under a clock of the bench: the real host, the real SQL on
 * SQLite, alarm and timer, servers that answer health checks or do not, and a platform that takes an
 * idle object out of memory. Counts what a Durable Object would be billed for as rows written.
 */
import { DatabaseSync } from 'node:sqlite';
import { type Platform, RegistryHost } from '../../callback/registry/host.ts';
import type { RegistrySettings } from '../../callback/registry/settings.ts';
import { RegistryStorage } from '../../callback/registry/storage.ts';
import { servicesSchema } from '../../shared/service/definition.ts';

export const OWNER = { subject: 'bench', isAdmin: false };

/** How long an object stays in memory without an event (developers.cloudflare.com, "Lifecycle of a Durable Object"). */
const IDLE_MS = 10_000;
const IDLE_WITH_TIMER_MS = 70_000;

export interface Writes {
  rows: number;
  alarms: number;
}

export class CountedObject {
  readonly writes: Writes = { rows: 0, alarms: 0 };
  now: number;
  /** How often it looked, by its timer, at what is due. */
  looks = 0;
  /** How often the platform took it out of memory. */
  sleeps = 0;
  answersChecks: boolean;
  /** The ledger of those who have one. */
  release: Platform['release'] = async () => ({ released: 0, left: false });
  /** Somebody answers at fixed addresses. */
  isReachable = false;
  readLines: Platform['readLines'] = async () => [];
  #host: RegistryHost | undefined;
  readonly #settings: RegistrySettings;
  readonly #database = new DatabaseSync(':memory:');
  #alarmAt: number | undefined;
  #timerAt: number | undefined;
  #lastEventAt: number;
  readonly #background: Promise<void>[] = [];

  /** @param answersChecks false: servers behind a firewall, which only heartbeat */
  constructor(services: Readonly<Record<string, unknown>>, now: number, answersChecks = true, keyShards = {}) {
    this.now = now;
    this.#lastEventAt = now;
    this.answersChecks = answersChecks;
    this.#settings = {
      heartbeatMs: 30_000,
      goneAfterMs: 3_600_000,
      allowPrivateTargets: false,
      services: servicesSchema(false).parse(services),
      keyShards,
    };
  }

  /** For whoever asks it something, which is an event. */
  get host(): RegistryHost {
    this.#lastEventAt = this.now;
    this.#host ??= this.#start();
    return this.#host;
  }

  #start(): RegistryHost {
    const storage = new RegistryStorage(this.#countingSql());
    const platform: Platform = {
      now: () => this.now,
      readSnapshot: (name) => storage.read(name),
      writeSnapshot: (name, text) => storage.write(name, text),
      leases: storage.leases,
      setAlarm: async (at) => {
        this.writes.alarms += 1;
        this.#alarmAt = at;
      },
      setTimer: (afterMs) => {
        this.looks += 1;
        this.#timerAt = this.now + afterMs;
      },
      probe: async (checks) =>
        checks.map((check) => {
          const isReached = check.serverId === undefined ? this.isReachable : this.answersChecks;
          return { ...check, isReached, problem: isReached ? undefined : 'could not be reached' };
        }),
      release: (due) => this.release(due),
      readLines: () => this.readLines(),
      inBackground: (work) => void this.#background.push(work),
      log: () => undefined,
    };
    const host = new RegistryHost(this.#settings, platform);
    host.noteAlarm(this.#alarmAt);
    return host;
  }

  #countingSql(): SqlStorage {
    const exec = (query: string, ...values: string[]) => {
      const statement = this.#database.prepare(query);
      if (query.startsWith('SELECT')) return statement.all();
      this.writes.rows += Number(statement.run(...values).changes);
      return [];
    };
    // The part of the platform's interface that the registry's storage uses.
    return { exec } as unknown as SqlStorage;
  }

  /** The platform drops the object from memory, as at a deploy; the next event starts it again. */
  evict(): void {
    this.#host = undefined;
    this.#timerAt = undefined;
  }

  /** Time goes on to `at`; timer and alarm go off when they are due, and an idle object goes to sleep. */
  async passTimeTo(at: number): Promise<void> {
    for (;;) {
      const idleMs = this.#timerAt === undefined ? IDLE_MS : IDLE_WITH_TIMER_MS;
      const sleepAt = this.#host === undefined ? Number.POSITIVE_INFINITY : this.#lastEventAt + idleMs;
      const alarmAt = this.#alarmAt ?? Number.POSITIVE_INFINITY;
      const timerAt = this.#timerAt ?? Number.POSITIVE_INFINITY;
      const next = Math.min(sleepAt, alarmAt, timerAt);
      if (next > at) break;
      this.now = Math.max(this.now, next);
      if (next === alarmAt) {
        this.#alarmAt = undefined;
        await this.host.ring();
      } else if (next === timerAt) {
        this.#timerAt = undefined;
        await this.#host?.wake();
      } else {
        this.evict();
        this.sleeps += 1;
      }
      await Promise.all(this.#background.splice(0));
    }
    this.now = at;
  }
}
