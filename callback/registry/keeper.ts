/**
 * Keeps one registry in memory for its owner: restores it, decides when the snapshot is written (on
 * change, or after an hour) and when the alarm must ring (a check or a release that is due; nothing
 * else). Heartbeats and calls write nothing. Knows no platform: its owner lends it storage, alarm and
 * network.
 */
import type { CheckResult, DueCheck } from './health-check.ts';
import { earliestCheckAt, noteChecks, takeDueChecks } from './health-check.ts';
import { removeGone } from './liveness.ts';
import { earliestReleaseAt, noteReleased, noticeReturns, takeDueReleases } from './parked.ts';
import { expireBlocks } from './places.ts';
import { emptyRegistry, type Notice, type Registry } from './server.ts';
import type { RegistrySettings } from './settings.ts';
import { recallServers, recallServices, rememberServers, rememberServices, SNAPSHOT_MS } from './snapshot.ts';

export type SnapshotName = 'servers' | 'services';

export interface KeeperHost {
  now(): number;
  readSnapshot(name: SnapshotName): string | undefined;
  writeSnapshot(name: SnapshotName, text: string): void;
  setAlarm(at: number): Promise<void>;
  /** @returns results by server */
  probe(checks: readonly DueCheck[]): Promise<ReadonlyMap<string, readonly CheckResult[]>>;
  /** @returns how many parked tasks of the service went; undefined: they could not be sent */
  release(service: string, limit: number): Promise<number | undefined>;
  /** Lets work go on after the alarm has returned. */
  inBackground(work: Promise<void>): void;
  tell(notice: Notice): void;
}

export class RegistryKeeper {
  readonly #host: KeeperHost;
  readonly #registry: Registry;
  #snapshotAt: number;
  /** When the alarm rings; undefined: it is not set. */
  #alarmAt: number | undefined;

  constructor(settings: RegistrySettings, host: KeeperHost) {
    this.#host = host;
    this.#registry = emptyRegistry(settings);
    const now = host.now();
    this.#snapshotAt = now;
    const services = host.readSnapshot('services');
    const invalid = services === undefined ? [] : recallServices(this.#registry, services, now);
    for (const service of invalid) host.tell({ event: 'service.invalid', fields: { service } });
    const servers = host.readSnapshot('servers');
    if (servers !== undefined) recallServers(this.#registry, servers, now);
  }

  /** What the platform remembers of the alarm that was set before a restart. */
  noteAlarm(at: number | undefined): void {
    this.#alarmAt = at;
  }

  /** Any question or change that is not a call. */
  async decide<Value>(decide: (registry: Registry, now: number) => Value): Promise<Value> {
    const now = this.#host.now();
    expireBlocks(this.#registry, now);
    removeGone(this.#registry, now);
    const value = decide(this.#registry, now);
    noticeReturns(this.#registry, now);
    this.#tell();
    this.#writeSnapshot(now);
    await this.#setAlarm(now);
    return value;
  }

  /** For calls and their reports, which are many and change nothing that is written. */
  async direct<Value>(decide: (registry: Registry, now: number) => Value): Promise<Value> {
    const now = this.#host.now();
    const value = decide(this.#registry, now);
    const { parked, changed } = this.#registry;
    if (parked.size > 0) noticeReturns(this.#registry, now);
    this.#tell();
    if (parked.size > 0 || changed.checks) await this.#setAlarm(now);
    changed.checks = false;
    return value;
  }

  async ring(): Promise<void> {
    this.#alarmAt = undefined;
    const now = this.#host.now();
    const checks = takeDueChecks(this.#registry, now);
    // Checks may take seconds; released tasks do not wait for them.
    if (checks.length > 0) this.#host.inBackground(this.#check(checks));
    noticeReturns(this.#registry, now);
    for (const due of takeDueReleases(this.#registry, now)) {
      const released = await this.#host.release(due.service, due.limit);
      noteReleased(this.#registry, due, released, this.#host.now());
    }
    await this.decide(() => undefined);
  }

  async #check(checks: readonly DueCheck[]): Promise<void> {
    const results = await this.#host.probe(checks);
    await this.decide((registry, now) => {
      for (const [serverId, found] of results) noteChecks(registry, serverId, found, now);
    });
  }

  #tell(): void {
    for (const notice of this.#registry.notices.splice(0)) this.#host.tell(notice);
  }

  #writeSnapshot(now: number): void {
    const { changed, servers } = this.#registry;
    if (changed.services) this.#host.writeSnapshot('services', rememberServices(this.#registry));
    changed.services = false;
    const isOld = servers.size > 0 && now - this.#snapshotAt >= SNAPSHOT_MS;
    if (!changed.servers && !isOld) return;
    this.#host.writeSnapshot('servers', rememberServers(this.#registry, now));
    changed.servers = false;
    this.#snapshotAt = now;
  }

  async #setAlarm(now: number): Promise<void> {
    const times = [earliestCheckAt(this.#registry, now), earliestReleaseAt(this.#registry, now)];
    const at = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
    if (at >= (this.#alarmAt ?? Number.POSITIVE_INFINITY)) return;
    this.#alarmAt = at;
    await this.#host.setAlarm(Math.max(at, now));
  }
}
