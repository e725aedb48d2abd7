/**
 * Holds one registry in memory for the object that owns it: restores it, writes the snapshot, and says
 * when the object has work. Heartbeats write nothing, and calls only where a limit of calls at a time counts them.
 *
 * An object that is idle is removed from memory after ten seconds, one with a timer set after 70 to 140
 * (developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle). So while events come a
 * timer is always set, which also makes checks and releases without writing an alarm. After `QUIET_MS`
 * without an event everything is written once, complete, and the alarm is set for what is due next.
 * What an object that was restarted in between does not know, it takes as the snapshot's rules say.
 */
import type { ReleaseAnswer, ReleaseRequest } from '../../shared/ledger/line.ts';
import { LOOK_MS, WaitingQuestions } from '../../shared/object/waiting-questions.ts';
import type { RouteAnswer, RouteRequest } from '../../shared/registry/routing.ts';
import { earliestReleaseAt, noteReleased, noteStatus, takeDueReleases } from '../capacity/line.ts';
import { earliestOutageCheckAt, noteOutageChecks, takeDueOutageChecks } from '../capacity/outage.ts';
import { expireLeases, keepAll, type LeaseStore, restoreLeases, writeKept } from '../capacity/places.ts';
import { route } from '../capacity/route.ts';
import { earliestResumeAt, endPauses, noteLimited } from '../services/services.ts';
import { type CheckResult, type DueCheck, earliestCheckAt, noteChecks, takeDueChecks } from './servers/health-check.ts';
import { watchLiveness } from './servers/liveness.ts';
import type { RegistrySettings } from './settings.ts';
import { restoreServers, restoreServices, SNAPSHOT_MS, snapshotServers, snapshotServices } from './snapshot.ts';
import { type Notice, Registry } from './state.ts';

export type SnapshotName = 'servers' | 'services';

/** What the host needs of its object. */
export interface Platform {
  now(): number;
  readSnapshot(name: SnapshotName): string | undefined;
  writeSnapshot(name: SnapshotName, text: string): void;
  readonly leases: LeaseStore;
  /** Survives a restart; each one is a row written. */
  setAlarm(at: number): Promise<void>;
  /** Calls `wake` after so many milliseconds, in place of the timer that was set before. */
  setTimer(afterMs: number): void;
  /** Makes the requests. @returns what each came to, in any order */
  probe(checks: readonly DueCheck[]): Promise<readonly CheckResult[]>;
  /** Wakes the oldest of a line. @returns undefined when they could not be woken */
  release(due: ReleaseRequest): Promise<ReleaseAnswer | undefined>;
  /** Names of the lines of services in which tasks stand, with their services. */
  readLines(): Promise<readonly { readonly line: string; readonly service: string }[]>;
  /** Lets work go on after the event that began it. */
  inBackground(work: Promise<void>): void;
  log(notice: Notice): void;
}

/** Well before an idle object is removed, and longer than the pause between two heartbeats. */
const QUIET_MS = 55_000;

/** What servers say after an unplanned restart is written together. */
const TOGETHER_MS = 10_000;

/** Nobody has a place, and somebody has one within a moment. */
function isWorthHolding({ decisions }: RouteAnswer): boolean {
  return (
    decisions.every((decision) => decision.is === 'waiting') &&
    decisions.some((decision) => decision.is === 'waiting' && decision.line === undefined)
  );
}

/** While tasks wait to be released an alarm stands behind the timer, for an object that is restarted. */
const NET_MS = 60_000;

export class RegistryHost {
  readonly #platform: Platform;
  readonly #registry: Registry;
  #writtenAt: number;
  #lastEventAt: number;
  #timerAt: number | undefined;
  #isStarted = false;
  readonly #waiting = new WaitingQuestions(isWorthHolding);
  /** When the alarm rings; infinite: it is not set. */
  #alarmAt = Infinity;

  constructor(settings: RegistrySettings, platform: Platform) {
    this.#platform = platform;
    this.#registry = new Registry(settings);
    const now = platform.now();
    this.#writtenAt = now;
    this.#lastEventAt = now;
    const services = platform.readSnapshot('services');
    const invalid = services === undefined ? [] : restoreServices(this.#registry, services, now);
    for (const service of invalid) platform.log({ event: 'service.invalid', fields: { service } });
    const servers = platform.readSnapshot('servers');
    if (servers !== undefined) restoreServers(this.#registry, servers, now);
    restoreLeases(this.#registry, platform.leases, now);
  }

  /** What the platform kept of the alarm that was set before a restart. */
  noteAlarm(at = Infinity): void {
    this.#alarmAt = at;
  }

  /** Any question or change that is not a call. */
  async decide<Value>(decide: (registry: Registry, now: number) => Value): Promise<Value> {
    const now = this.#beginEvent();
    expireLeases(this.#registry, now);
    const value = decide(this.#registry, now);
    this.#follow(now);
    await this.#plan(now);
    return value;
  }

  /** For calls and their reports, which are many and change little that is written. */
  async direct<Value>(decide: (registry: Registry, now: number) => Value): Promise<Value> {
    const now = this.#beginEvent();
    const value = decide(this.#registry, now);
    writeKept(this.#registry, this.#platform.leases);
    const { lines, changed } = this.#registry;
    if (lines.size > 0 || !this.#waiting.isEmpty || changed.servers || changed.services || changed.limits)
      this.#follow(now);
    if (lines.size > 0 || changed.checks || this.#timerAt === undefined) await this.#plan(now);
    changed.checks = false;
    return value;
  }

  /** @returns now */
  #beginEvent(): number {
    const now = this.#platform.now();
    this.#lastEventAt = now;
    if (this.#isStarted) return now;
    this.#isStarted = true;
    this.#inBackground(this.#platform.readLines(), (lines) => {
      for (const { line, service } of lines) noteStatus(this.#registry, line, service);
    });
    return now;
  }

  /**
   * Gives calls their places. A question that may wait, and would get nothing but the advice to wait a
   * moment, is answered when the first of its calls can have a place: it need not be asked again.
   */
  async route(request: RouteRequest, random: () => number): Promise<RouteAnswer> {
    const answer = await this.direct((registry, now) => route(registry, request, now, random));
    if (request.mayWait !== true) return answer;
    // From its second look on it has waited.
    const calls = request.calls.map((call) => ({ ...call, waits: call.waits + 1 }));
    const ask = (now: number) => route(this.#registry, { ...request, calls }, now, random);
    const later = this.#waiting.hold(answer, ask, this.#platform.now());
    if (!this.#waiting.isEmpty) await this.#plan(this.#platform.now());
    return later;
  }

  /** The alarm: an event like a request. */
  async ring(): Promise<void> {
    this.#alarmAt = Infinity;
    this.#beginEvent();
    await this.#work();
  }

  /** The timer. */
  async wake(): Promise<void> {
    this.#timerAt = undefined;
    await this.#work();
  }

  async #work(): Promise<void> {
    const registry = this.#registry;
    const now = this.#platform.now();
    expireLeases(registry, now);
    endPauses(registry, now);
    // Checks may take seconds; released tasks do not wait for them.
    this.#probe(takeDueChecks(registry, now), noteChecks);
    this.#probe(takeDueOutageChecks(registry, now), noteOutageChecks);
    for (const due of takeDueReleases(registry, now)) {
      this.#inBackground(this.#platform.release(due), (answer, at) => noteReleased(registry, due, answer, at));
    }
    await this.#settle(now);
  }

  #probe(checks: readonly DueCheck[], note: typeof noteChecks): void {
    if (checks.length === 0) return;
    this.#inBackground(this.#platform.probe(checks), (results, at) => note(this.#registry, results, at));
  }

  /** What the platform answers later is noted then, and what follows from it. */
  #inBackground<Answer>(asked: Promise<Answer>, note: (answer: Answer, now: number) => void): void {
    const work = async () => {
      const answer = await asked;
      const now = this.#platform.now();
      note(answer, now);
      await this.#settle(now);
    };
    this.#platform.inBackground(work());
  }

  async #settle(now: number): Promise<void> {
    this.#follow(now);
    await this.#plan(now);
  }

  /** What follows from a change: who is gone or back, who gets a place, what people are told, what is written. */
  #follow(now: number): void {
    watchLiveness(this.#registry, now);
    this.#waiting.look(now);
    writeKept(this.#registry, this.#platform.leases);
    noteLimited(this.#registry, now);
    this.#registry.changed.limits = false;
    for (const notice of this.#registry.notices.splice(0)) this.#platform.log(notice);
    const { changed, servers } = this.#registry;
    if (changed.services) this.#platform.writeSnapshot('services', snapshotServices(this.#registry));
    changed.services = false;
    const sinceMs = now - this.#writtenAt;
    const isOld = servers.size > 0 && sinceMs >= SNAPSHOT_MS;
    if (changed.servers || isOld || (changed.contacts && sinceMs >= TOGETHER_MS)) this.#write(now, false);
  }

  #write(now: number, isComplete: boolean): void {
    const { changed, stored } = this.#registry;
    stored.isComplete = isComplete;
    this.#platform.writeSnapshot('servers', snapshotServers(this.#registry, now));
    if (isComplete) keepAll(this.#registry, this.#platform.leases);
    changed.servers = false;
    changed.contacts = false;
    this.#writtenAt = now;
  }

  /** Sets the timer for what comes next; when no events come any more, the alarm. */
  async #plan(now: number): Promise<void> {
    const registry = this.#registry;
    const dueAt = Math.min(
      earliestCheckAt(registry, now),
      earliestReleaseAt(registry, now),
      earliestOutageCheckAt(registry),
      earliestResumeAt(registry),
    );
    const quietAt = this.#lastEventAt + QUIET_MS;
    if (now >= quietAt) {
      this.#write(now, true);
      await this.#setAlarm(dueAt, now);
      return;
    }
    if (registry.lines.size > 0 && this.#alarmAt === Infinity) await this.#setAlarm(now + NET_MS, now);
    const isKept = registry.servers.size > 0 || registry.leases.size > 0 || registry.lines.size > 0;
    if (!isKept && this.#waiting.isEmpty && dueAt === Infinity) return;
    const flushAt = registry.changed.contacts ? this.#writtenAt + TOGETHER_MS : Infinity;
    const waitingAt = !this.#waiting.isEmpty ? now + LOOK_MS : Infinity;
    const at = Math.max(now, Math.min(dueAt, quietAt, flushAt, waitingAt));
    if (this.#timerAt !== undefined && this.#timerAt <= at) return;
    this.#timerAt = at;
    this.#platform.setTimer(at - now);
  }

  async #setAlarm(at: number, now: number): Promise<void> {
    if (at >= this.#alarmAt) return;
    this.#alarmAt = Math.max(at, now);
    await this.#platform.setAlarm(this.#alarmAt);
  }
}
