/**
 * The registry as its object runs it, under a clock of the bench: the real keeper, the real SQL on
 * SQLite, an alarm, and servers that answer health checks or do not. Counts what a Durable Object
 * would be billed for as rows written.
 */
import { DatabaseSync } from 'node:sqlite';
import { type KeeperHost, RegistryKeeper } from '../../callback/registry/keeper.ts';
import type { RegistrySettings } from '../../callback/registry/settings.ts';
import { RegistryStorage } from '../../callback/registry/storage.ts';
import { servicesSchema } from '../../shared/service/definition.ts';

export const OWNER = { subject: 'bench', isAdmin: false };

export interface Writes {
  rows: number;
  alarms: number;
}

export class CountedObject {
  readonly writes: Writes = { rows: 0, alarms: 0 };
  now: number;
  keeper: RegistryKeeper;
  readonly #settings: RegistrySettings;
  readonly #database = new DatabaseSync(':memory:');
  readonly #answersChecks: boolean;
  #alarmAt: number | undefined;
  readonly #background: Promise<void>[] = [];

  /** @param answersChecks false: servers behind a firewall, which only heartbeat */
  constructor(services: Readonly<Record<string, unknown>>, now: number, answersChecks = true) {
    this.now = now;
    this.#answersChecks = answersChecks;
    this.#settings = {
      heartbeatMs: 30_000,
      goneAfterMs: 3_600_000,
      allowPrivateTargets: false,
      services: servicesSchema(false).parse(services),
    };
    this.keeper = this.#start();
  }

  #start(): RegistryKeeper {
    const storage = new RegistryStorage(this.#countingSql());
    const host: KeeperHost = {
      now: () => this.now,
      readSnapshot: (name) => storage.read(name),
      writeSnapshot: (name, text) => storage.write(name, text),
      setAlarm: async (at) => {
        this.writes.alarms += 1;
        this.#alarmAt = at;
      },
      probe: async (checks) =>
        new Map(
          checks.map(({ serverId, service }) => [
            serverId,
            [{ service, problem: this.#answersChecks ? undefined : 'could not be reached' }],
          ]),
        ),
      release: async () => 0,
      inBackground: (work) => void this.#background.push(work),
      tell: () => undefined,
    };
    return new RegistryKeeper(this.#settings, host);
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

  /** The platform drops the object from memory; the next call starts it again. */
  evict(): void {
    this.keeper = this.#start();
    this.keeper.noteAlarm(this.#alarmAt);
  }

  /** Time goes on to `at`, and the alarm rings when it is due. */
  async passTimeTo(at: number): Promise<void> {
    while (this.#alarmAt !== undefined && this.#alarmAt <= at) {
      this.now = Math.max(this.now, this.#alarmAt);
      this.#alarmAt = undefined;
      await this.keeper.ring();
      await Promise.all(this.#background.splice(0));
    }
    this.now = at;
  }
}
