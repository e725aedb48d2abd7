/**
 * The one object that knows all servers: registers them, hears their heartbeats, gives calls their
 * servers. It lives in memory. A snapshot is written on change or hourly, an alarm set only when
 * something is due; heartbeats and calls write nothing.
 */
import { DurableObject } from 'cloudflare:workers';
import { CROCKFORD_ALPHABET } from '../../shared/crypto/base32.ts';
import { logError, logInfo, logWarning } from '../../shared/log.ts';
import type {
  Answered,
  Asker,
  BalancerView,
  DemandView,
  HeartbeatAnswer,
  Registered,
  RegistryDoor,
  ServerMetrics,
  ServerView,
  ServiceView,
} from '../../shared/registry/door.ts';
import type { ClusterHeartbeat, Heartbeat, Registration } from '../../shared/registry/registration.ts';
import type { CallReports, RouteAnswer, RouteRequest, ServiceBook } from '../../shared/registry/routing.ts';
import { demandOf } from './demand.ts';
import { earliestCheckAt, noteChecks, takeDueChecks } from './health-check.ts';
import { probe } from './health-probe.ts';
import { claimLeadership, heartbeat, heartbeatCluster } from './heartbeat.ts';
import { removeGone } from './liveness.ts';
import { earliestReleaseAt, noteReleased, noteResumed, noticeReturns, takeDueReleases } from './parked.ts';
import { takeReports } from './report.ts';
import { findServer, NO_SUCH_SERVER, register, removeServer, setMaintenance } from './roster.ts';
import { route } from './route.ts';
import { emptyRegistry, type Registry, type Server } from './server.ts';
import { deleteService, putService, readBook, setBalancing, setPaused, viewServices } from './services.ts';
import { readSettings } from './settings.ts';
import { recallServers, recallServices, rememberServers, rememberServices, SNAPSHOT_MS } from './snapshot.ts';
import { RegistryStorage } from './storage.ts';
import { viewBalancer, viewMetrics, viewServer, viewServers } from './view.ts';

const ID_CHARACTERS = 16;

export class ServerRegistry extends DurableObject<object> implements RegistryDoor {
  readonly #storage: RegistryStorage;
  readonly #registry: Registry;
  #snapshotAt: number;
  #alarmAt: number | undefined;

  constructor(context: DurableObjectState, env: object) {
    super(context, env);
    const now = Date.now();
    this.#registry = emptyRegistry(readSettings(env));
    this.#storage = new RegistryStorage(context.storage.sql);
    this.#snapshotAt = now;
    const services = this.#storage.read('services');
    const invalid = services === undefined ? [] : recallServices(this.#registry, services);
    for (const service of invalid) logWarning('service.invalid', { service });
    const servers = this.#storage.read('servers');
    if (servers !== undefined) recallServers(this.#registry, servers, now);
    void context.blockConcurrencyWhile(async () => {
      this.#alarmAt = (await context.storage.getAlarm()) ?? undefined;
    });
  }

  register(registration: Registration, asker: Asker): Promise<Answered<Registered>> {
    return this.#decide((now) => register(this.#registry, registration, asker, freshId(), now));
  }

  heartbeat(id: string, beat: Heartbeat, asker: Asker): Promise<Answered<HeartbeatAnswer>> {
    return this.#decide((now) => heartbeat(this.#registry, id, beat, asker, now));
  }

  heartbeatCluster(beat: ClusterHeartbeat, asker: Asker): Promise<Answered<HeartbeatAnswer>> {
    return this.#decide((now) => heartbeatCluster(this.#registry, beat, asker, now));
  }

  claimLeadership(id: string, asker: Asker): Promise<Answered<HeartbeatAnswer>> {
    return this.#decide((now) => claimLeadership(this.#registry, id, asker, now));
  }

  setMaintenance(id: string, enabled: boolean, asker: Asker): Promise<Answered<ServerView>> {
    return this.#of(id, asker, (server, now) => {
      setMaintenance(this.#registry, server, enabled, now);
      return viewServer(this.#registry, server, now);
    });
  }

  removeServer(id: string, asker: Asker): Promise<Answered<undefined>> {
    return this.#of(id, asker, (server) => {
      removeServer(this.#registry, server);
      return undefined;
    });
  }

  listServers(asker: Asker): Promise<ServerView[]> {
    return this.#decide((now) => viewServers(this.#registry, asker, now));
  }

  getServer(id: string, asker: Asker): Promise<Answered<ServerView>> {
    return this.#of(id, asker, (server, now) => viewServer(this.#registry, server, now));
  }

  getMetrics(id: string, asker: Asker): Promise<Answered<ServerMetrics>> {
    return this.#of(id, asker, (server, now) => viewMetrics(server, now));
  }

  listServices(): Promise<ServiceView[]> {
    return this.#decide((now) => viewServices(this.#registry, now));
  }

  readServices(known: number): Promise<ServiceBook | undefined> {
    return this.#decide(() => readBook(this.#registry, known));
  }

  putService(name: string, definition: unknown): Promise<number> {
    return this.#decide(() => putService(this.#registry, name, definition));
  }

  deleteService(name: string, force: boolean): Promise<Answered<undefined>> {
    return this.#decide((now) => deleteService(this.#registry, name, force, now));
  }

  setPaused(name: string, paused: boolean): Promise<Answered<undefined>> {
    return this.#decide((now) => {
      const answer = setPaused(this.#registry, name, paused);
      if (answer.ok && !paused) noteResumed(this.#registry, name, now);
      return answer;
    });
  }

  getDemand(name: string): Promise<Answered<DemandView>> {
    return this.#decide((now) => demandOf(this.#registry, name, now));
  }

  getBalancer(): Promise<BalancerView> {
    return this.#decide(() => viewBalancer(this.#registry));
  }

  setBalancing(name: string, algorithm: string): Promise<Answered<undefined>> {
    return this.#decide(() => setBalancing(this.#registry, name, algorithm));
  }

  route(request: RouteRequest): Promise<RouteAnswer> {
    return this.#direct((now) => route(this.#registry, request, now, Math.random));
  }

  reportCalls(reports: CallReports): Promise<void> {
    return this.#direct((now) => takeReports(this.#registry, reports, now, Math.random));
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = undefined;
    const now = Date.now();
    const checks = takeDueChecks(this.#registry, now);
    // Checks may take seconds; released tasks do not wait for them.
    if (checks.length > 0) this.ctx.waitUntil(this.#check(checks));
    noticeReturns(this.#registry, now);
    for (const due of takeDueReleases(this.#registry, now)) {
      noteReleased(this.#registry, due, await this.#release(due.service, due.limit), Date.now());
    }
    await this.#decide(() => undefined);
  }

  async #check(checks: Parameters<typeof probe>[0]): Promise<void> {
    const results = await probe(checks);
    await this.#decide((now) => {
      for (const [serverId, found] of results) noteChecks(this.#registry, serverId, found, now);
    });
  }

  /** @returns how many went; undefined: the database or the queue did not answer */
  async #release(service: string, limit: number): Promise<number | undefined> {
    try {
      return await this.releaseParked(service, limit);
    } catch (error) {
      logError('release.failed', { service }, error);
      return undefined;
    }
  }

  protected async releaseParked(_service: string, _limit: number): Promise<number> {
    return 0;
  }

  #of<Value>(id: string, asker: Asker, decide: (server: Server, now: number) => Value): Promise<Answered<Value>> {
    return this.#decide((now) => {
      const server = findServer(this.#registry, id, asker);
      return server === undefined ? NO_SUCH_SERVER : { ok: true, value: decide(server, now) };
    });
  }

  /** The runtime holds the answer back until what was written is safe. */
  async #decide<Value>(decide: (now: number) => Value): Promise<Value> {
    const now = Date.now();
    removeGone(this.#registry, now);
    const value = decide(now);
    noticeReturns(this.#registry, now);
    this.#tell();
    this.#writeSnapshot(now);
    await this.#setAlarm(now);
    return value;
  }

  /** For calls, which are many and change nothing that is written. */
  async #direct<Value>(decide: (now: number) => Value): Promise<Value> {
    const now = Date.now();
    const value = decide(now);
    const { parked, changed } = this.#registry;
    if (parked.size > 0) noticeReturns(this.#registry, now);
    this.#tell();
    if (parked.size > 0 || changed.checks) await this.#setAlarm(now);
    changed.checks = false;
    return value;
  }

  #tell(): void {
    for (const { event, fields } of this.#registry.notices.splice(0)) logInfo(event, fields);
  }

  #writeSnapshot(now: number): void {
    const { changed } = this.#registry;
    if (changed.services) this.#storage.write('services', rememberServices(this.#registry));
    changed.services = false;
    const isOld = this.#registry.servers.size > 0 && now - this.#snapshotAt >= SNAPSHOT_MS;
    if (!changed.servers && !isOld) return;
    this.#storage.write('servers', rememberServers(this.#registry, now));
    changed.servers = false;
    this.#snapshotAt = now;
  }

  async #setAlarm(now: number): Promise<void> {
    const times = [earliestCheckAt(this.#registry, now), earliestReleaseAt(this.#registry, now)];
    const at = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
    if (at >= (this.#alarmAt ?? Number.POSITIVE_INFINITY)) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(Math.max(at, now));
  }
}

function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_CHARACTERS));
  return `srv_${Array.from(bytes, (byte) => CROCKFORD_ALPHABET.charAt(byte & 31)).join('')}`;
}
