/**
 * The one object that knows all servers: registers them, hears their heartbeats, gives calls their
 * servers. It lives in memory; what is written, and when, is its host's to decide.
 */

import { DurableObject } from 'cloudflare:workers';
import { CROCKFORD_ALPHABET } from '../../shared/crypto/base32.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../shared/ledger/line.ts';
import { logError, logInfo } from '../../shared/log.ts';
import type { ClusterHeartbeat, Heartbeat, Registration } from '../../shared/registry/registration.ts';
import type { AbandonedLease, CallReports, RouteRequest } from '../../shared/registry/routing.ts';
import type { Answered, FlowsAsked, RegistryCaller, RegistryRpc, ServicePause } from '../../shared/registry/rpc.ts';
import type { ClientQuota } from '../../shared/service/client-quota.ts';
import type { FlowLimits } from '../../shared/task/flow-limits.ts';
import { endTask, giveUpLease } from '../capacity/places.ts';
import { takeReports } from '../capacity/report.ts';
import { readEnv } from '../env.ts';
import { listFlows, pauseFlow, putFlow, viewFlow } from '../flows/flows.ts';
import { describeLines, readLinesOf, releaseLine } from '../parking.ts';
import { definitionOf } from '../services/definitions.ts';
import { demandOf } from '../services/demand.ts';
import { countOpenOfClient } from '../services/open-tasks-of-client.ts';
import { Quotas, RECORDED_AFTER_MS } from '../services/quotas.ts';
import { ratesOf } from '../services/service-rate.ts';
import { countOpenTasks, endOpenTasks } from '../services/service-tasks.ts';
import { deleteService, putService, readCatalog, resume, setBalancing, setPaused } from '../services/services.ts';
import { readServiceWaiting, type ServiceWaiting } from '../services/waiting-of-service.ts';
import { isFlowObject } from './asking.ts';
import { RegistryHost } from './host.ts';
import { NO_SUCH_SERVER } from './refusal.ts';
import { probe } from './servers/health-probe.ts';
import { claimLeadership, heartbeat, heartbeatCluster } from './servers/heartbeat.ts';
import { findServer, register, removeServer, setMaintenance } from './servers/members.ts';
import { readSettings } from './settings.ts';
import type { Registry, Server } from './state.ts';
import { RegistryStorage } from './storage.ts';
import { viewBalancer, viewMetrics, viewServer, viewServers, viewService, viewServices } from './view.ts';

const ID_CHARACTERS = 16;

const WAITING_HOLDS_MS = 2_000;

export class ServerRegistry extends DurableObject<object> implements RegistryRpc {
  readonly #host: RegistryHost;
  readonly #quotas = new Quotas();
  readonly #waiting = new Map<string, { readonly at: number; readonly waiting: ServiceWaiting }>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: DurableObjectState, env: object) {
    super(context, env);
    const storage = new RegistryStorage(context.storage.sql);
    this.#host = new RegistryHost(readSettings(env), {
      now: () => Date.now(),
      readSnapshot: (name) => storage.read(name),
      writeSnapshot: (name, text) => storage.write(name, text),
      leases: storage.leases,
      setAlarm: (at) => context.storage.setAlarm(at),
      setTimer: (afterMs) => this.#setTimer(afterMs),
      probe,
      release: (due) => this.#release(due),
      readLines: () => this.#readLines(),
      inBackground: (work) => context.waitUntil(work),
      log: ({ event, fields }) => logInfo(event, fields),
    });
    void context.blockConcurrencyWhile(async () => {
      this.#host.noteAlarm((await context.storage.getAlarm()) ?? undefined);
    });
  }

  register(registration: Registration, caller: RegistryCaller) {
    return this.#host.decide((registry, now) => register(registry, registration, caller, freshId(), now));
  }

  heartbeat(id: string, beat: Heartbeat, caller: RegistryCaller) {
    return this.#host.decide((registry, now) => heartbeat(registry, id, beat, caller, now));
  }

  heartbeatCluster(beat: ClusterHeartbeat, caller: RegistryCaller) {
    return this.#host.decide((registry, now) => heartbeatCluster(registry, beat, caller, now));
  }

  claimLeadership(id: string, caller: RegistryCaller) {
    return this.#host.decide((registry, now) => claimLeadership(registry, id, caller, now));
  }

  setMaintenance(id: string, enabled: boolean, caller: RegistryCaller) {
    return this.#of(id, caller, (registry, server, now) => {
      setMaintenance(registry, server, enabled, now);
      return viewServer(registry, server, now);
    });
  }

  removeServer(id: string, caller: RegistryCaller) {
    return this.#of(id, caller, (registry, server) => {
      removeServer(registry, server);
      return undefined;
    });
  }

  listServers(caller: RegistryCaller) {
    return this.#host.decide((registry, now) => viewServers(registry, caller, now));
  }

  getServer(id: string, caller: RegistryCaller) {
    return this.#of(id, caller, viewServer);
  }

  getMetrics(id: string, caller: RegistryCaller) {
    return this.#of(id, caller, (_registry, server, now) => viewMetrics(server, now));
  }

  listServices() {
    return this.#host.decide(viewServices);
  }

  readServices(known: number) {
    return this.#host.direct((registry) => readCatalog(registry, known));
  }

  putService(name: string, definition: unknown) {
    return this.#host.decide((registry) => putService(registry, name, definition));
  }

  async deleteService(name: string, force: boolean) {
    const env = await readEnv(this.env);
    const waiting = force ? 0 : await countOpenTasks(env, name, Date.now());
    const answer = await this.#host.decide((registry, now) => deleteService(registry, name, force, waiting, now));
    if (answer.ok && force) await endOpenTasks(env, name, Date.now());
    return answer;
  }

  setPaused(name: string, pause: ServicePause | undefined) {
    return this.#host.decide((registry) => setPaused(registry, name, pause));
  }

  async getDemand(name: string) {
    const waiting = await this.#waitingOf(name);
    return this.#host.decide((registry, now) => demandOf(registry, name, waiting, now));
  }

  /** Many ask while a backlog is long, and counting it takes the database a moment. */
  async #waitingOf(name: string): Promise<ServiceWaiting> {
    const known = this.#waiting.get(name);
    const now = Date.now();
    if (known !== undefined && now - known.at < WAITING_HOLDS_MS) return known.waiting;
    const definition = await this.#host.direct((registry) => definitionOf(registry, name));
    const waiting = await readServiceWaiting(await readEnv(this.env), name, definition?.keyPool, now);
    for (const [service, { at }] of this.#waiting) if (now - at >= WAITING_HOLDS_MS) this.#waiting.delete(service);
    this.#waiting.set(name, { at: now, waiting });
    return waiting;
  }

  resume(name: string, rampSeconds: number | undefined) {
    return this.#host.decide((registry, now) => resume(registry, name, rampSeconds, now));
  }

  getService(name: string) {
    return this.#host.decide((registry, now) => viewService(registry, name, now));
  }

  async admitTasks(subject: string, service: string, quota: ClientQuota, wanted: number) {
    const name = JSON.stringify([subject, service]);
    if (this.#quotas.mustCount(name, quota, wanted, Date.now())) {
      const now = Date.now();
      const env = await readEnv(this.env);
      const counted = await countOpenOfClient(env, subject, service, now - RECORDED_AFTER_MS, quota.open ?? 0);
      this.#quotas.noteCount(name, counted, now);
    }
    return this.#quotas.admit(name, quota, wanted, Date.now());
  }

  putFlow(name: string, limits: FlowLimits) {
    return this.#host.decide((registry, now) => putFlow(registry, name, limits, now));
  }

  pauseFlow(name: string, pause: ServicePause | undefined) {
    return this.#host.decide((registry, now) => pauseFlow(registry, name, pause, now));
  }

  /** Those that this object looks after, without who waits. */
  listFlows(asked: FlowsAsked) {
    return this.#host.decide((registry, now) => listFlows(registry, asked, now));
  }

  async getFlow(name: string) {
    const [line] = await describeLines(await readEnv(this.env), [name]);
    return this.#host.decide((registry, now) => viewFlow(registry, name, line?.count ?? 0, now));
  }

  getServiceRates(names: readonly string[]) {
    return this.#host.direct((registry, now) => ratesOf(registry, names, now));
  }

  getBalancer() {
    return this.#host.decide(viewBalancer);
  }

  setBalancing(name: string, algorithm: string) {
    return this.#host.decide((registry) => setBalancing(registry, name, algorithm));
  }

  route(request: RouteRequest) {
    return this.#host.route(request, Math.random);
  }

  reportCalls(reports: CallReports) {
    return this.#host.direct((registry, now) => takeReports(registry, reports, now, Math.random));
  }

  giveUp({ leaseId, expiresAt }: AbandonedLease) {
    return this.#host.direct((registry, now) => giveUpLease(registry, leaseId, expiresAt, now));
  }

  /** The task has ended while its call goes on, by a callback: its place is free. */
  endTask(id: string) {
    return this.#host.direct((registry, now) => endTask(registry, id, now));
  }

  override alarm(): Promise<void> {
    return this.#host.ring();
  }

  #setTimer(afterMs: number): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    const wake = () => this.#host.wake().catch((error: unknown) => logError('registry.failed', {}, error));
    this.#timer = setTimeout(wake, afterMs);
  }

  /** @returns undefined when the database or the queue did not answer */
  async #release(due: ReleaseRequest): Promise<ReleaseAnswer | undefined> {
    try {
      return await releaseLine(await readEnv(this.env), due, Date.now());
    } catch (error) {
      logError('release.failed', { line: due.line }, error);
      return undefined;
    }
  }

  async #readLines(): Promise<{ line: string; service: string }[]> {
    try {
      return await readLinesOf(await readEnv(this.env), isFlowObject(this.ctx.id.name) ? 'flow' : 'service');
    } catch (error) {
      // Their fallbacks tell of them.
      logError('lines.unread', {}, error);
      return [];
    }
  }

  #of<Value>(
    id: string,
    caller: RegistryCaller,
    decide: (registry: Registry, server: Server, now: number) => Value,
  ): Promise<Answered<Value>> {
    return this.#host.decide((registry, now) => {
      const server = findServer(registry, id, caller);
      return server === undefined ? NO_SUCH_SERVER : { ok: true, value: decide(registry, server, now) };
    });
  }
}

function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_CHARACTERS));
  return `srv_${Array.from(bytes, (byte) => CROCKFORD_ALPHABET.charAt(byte & 31)).join('')}`;
}
