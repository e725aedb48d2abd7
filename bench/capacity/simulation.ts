/**
 * Tasks, the line that they wait in, the pools of some shards and a provider, in virtual time. Limiter and
 * pool are the real code; the queue, the ledger's line and the provider are models of what they do.
 */
import type { KeyFeedback } from '../../consumer/keys/pool/feedback.ts';
import { type KeyCall, lease } from '../../consumer/keys/pool/lease.ts';
import { noteAsking, notePulled, pull } from '../../consumer/keys/pool/line.ts';
import { type Member, Pool } from '../../consumer/keys/pool/pool.ts';
import { release } from '../../consumer/keys/pool/release.ts';
import { Clock } from './clock.ts';
import { type Limits, ProviderKey, type Random, randomFrom, type Said } from './provider.ts';

export interface SimulatedTask {
  readonly arrivesAt: number;
  readonly shard?: number;
  readonly bucket?: string;
  /** What the provider says to it whatever the key; undefined: as the key's limits are. */
  readonly answer?: ((now: number, call: number) => Said | undefined) | undefined;
}

export interface Scenario {
  readonly limits: Limits;
  /** By shard. */
  readonly keys: readonly number[];
  /** All keys share one limit, and `KEY_GROUPS` says so or does not. */
  readonly shared?: 'stated' | 'unstated';
  readonly latencyMs: number;
  readonly tasks: readonly SimulatedTask[];
  /** What the provider says of a key, whatever its limits: a revoked one. */
  readonly keyAnswer?: (key: number, now: number) => Said | undefined;
  /** Longest time from a release to the task's arrival; at least 50 ms. */
  readonly queueMs?: number;
}

export interface TaskResult {
  readonly task: SimulatedTask;
  readonly endedAt: number | undefined;
  readonly outcome: 'succeeded' | 'failed' | 'open';
  /** Start of the call that ended it. */
  readonly startedAt: number | undefined;
  /** Of that call. */
  readonly key: number | undefined;
  readonly deferrals: number;
  readonly calls: number;
}

export interface Result {
  readonly ms: number;
  readonly calls: number;
  readonly limited: number;
  readonly tasks: readonly TaskResult[];
  readonly starts: readonly number[];
  /** When calls were answered with 429. */
  readonly refusals: readonly number[];
  /** What shards said of their part of a line's pace, with how many stood in it then. */
  readonly rates: readonly {
    readonly at: number;
    readonly shard: number;
    readonly perSecond: number;
    readonly left: number;
  }[];
}

interface Running {
  readonly index: number;
  readonly task: SimulatedTask;
  deferrals: number;
  calls: number;
  endedAt: number | undefined;
  startedAt: number | undefined;
  key: number | undefined;
  outcome: TaskResult['outcome'];
}

const MAX_MS = 8 * 3_600_000;
/** A task waits in place no longer than this in all, as in a batch. */
const MAX_IN_PLACE_MS = 6_000;
const WRITE_MS = 30;
const MIN_QUEUE_MS = 50;
const DEFAULT_QUEUE_MS = 300;

/** Where batches run: ten tasks each, six calls at a time, 250 at once; or a hundred tasks each, one at a time. */
export type BatchPlatform = 'deployed' | 'local';

export function simulate(scenario: Scenario, seed: number): Result {
  return new Simulation(scenario, randomFrom(seed)).run();
}

class Simulation {
  readonly #clock = new Clock();
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #shards: { readonly pool: Pool; readonly members: Member[]; readonly number: number; pullAt: number }[] = [];
  readonly #provider = new Map<string, ProviderKey>();
  readonly #lines = new Map<string, Running[]>();
  readonly #running: Running[];
  readonly #starts: number[] = [];
  readonly #refusals: number[] = [];
  readonly #rates: Result['rates'][number][] = [];
  #open: number;
  #leases = 0;
  #calls = 0;
  #lastEndAt = 0;

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario;
    this.#random = random;
    let number = 0;
    for (const [shard, count] of scenario.keys.entries()) {
      const members = Array.from({ length: count }, () => ({
        number: ++number,
        fingerprint: `key-${number}`,
        ...(scenario.shared === 'stated' && { group: 'all' }),
      }));
      this.#shards.push({ pool: new Pool('bench'), members, number: shard, pullAt: Infinity });
    }
    this.#running = scenario.tasks.map((task, index) => ({
      index,
      task,
      deferrals: 0,
      calls: 0,
      endedAt: undefined,
      startedAt: undefined,
      key: undefined,
      outcome: 'open',
    }));
    this.#open = this.#running.length;
  }

  run(): Result {
    for (const running of this.#running) {
      const { arrivesAt, shard = 0 } = running.task;
      this.#clock.at(arrivesAt, () => this.#ask(running, shard, this.#clock.now, { hasArrived: false }));
    }
    while (this.#open > 0 && this.#clock.step(MAX_MS));
    return {
      ms: this.#lastEndAt,
      calls: this.#calls,
      limited: this.#refusals.length,
      tasks: this.#running,
      starts: this.#starts,
      refusals: this.#refusals,
      rates: this.#rates,
    };
  }

  #ask(running: Running, shard: number, since: number, turn: Pick<KeyCall, 'hasArrived' | 'isInTurn'>): void {
    const { now } = this.#clock;
    const host = this.#shards[shard];
    if (host === undefined) throw new Error(`no shard ${shard}`);
    const { bucket } = running.task;
    const call = { task: `tsk_${running.index}`, ...turn, ...(bucket !== undefined && { bucket }) };
    const leaseId = `lease-${++this.#leases}`;
    const [answer] = lease(
      host.pool,
      {
        leaseId,
        expiresAt: now + 600_000,
        calls: [{ ...call, mustNotWait: now - since > MAX_IN_PLACE_MS }],
        isBrief: true,
        members: host.members,
        configured: {},
        shard,
        otherShards: this.#shards.map(({ number }) => number).filter((other) => other !== shard),
      },
      now,
    );
    const again = { isInTurn: true };
    if (typeof answer === 'number') {
      this.#call(running, shard, since, leaseId, answer, again);
    } else if (answer?.kind === 'start-at') {
      this.#clock.at(Math.max(answer.at, now + 5), () => this.#ask(running, shard, since, again));
    } else if (answer?.kind === 'park') {
      running.deferrals += 1;
      const { line } = answer;
      this.#clock.after(WRITE_MS, () => {
        const waiting = this.#lines.get(line) ?? [];
        this.#lines.set(line, waiting);
        const after = waiting.findLastIndex(({ index }) => index < running.index);
        waiting.splice(after + 1, 0, running);
      });
    } else this.#end(running, 'failed', now);
    this.#serve(shard);
  }

  #call(
    running: Running,
    shard: number,
    since: number,
    leaseId: string,
    key: number,
    again: Pick<KeyCall, 'isInTurn'>,
  ): void {
    const clock = this.#clock;
    const startedAt = clock.now;
    const said = this.#say(running, key);
    this.#calls += 1;
    this.#starts.push(startedAt);
    running.calls += 1;
    const isLetIn = said.status < 400;
    const { latencyMs } = this.#scenario;
    if (said.status === 429) this.#refusals.push(startedAt);
    clock.after(isLetIn ? latencyMs * (0.7 + 0.6 * this.#random()) : 5 + 10 * this.#random(), () => {
      if (isLetIn) this.#keyAtProvider(key, running.task.bucket).end();
      const { left } = said;
      release(
        this.#pool(shard),
        {
          leaseId,
          reports: [
            {
              task: `tsk_${running.index}`,
              feedback: feedbackOf(said, clock.now),
              ...(left !== undefined && { facts: { requests: left } }),
            },
          ],
        },
        clock.now,
      );
      if (isLetIn) {
        running.startedAt = startedAt;
        running.key = key;
        this.#end(running, 'succeeded', clock.now);
      } else this.#ask(running, shard, since, again);
      this.#serve(shard);
    });
  }

  #say(running: Running, key: number): Said {
    const { now } = this.#clock;
    const { keyAnswer } = this.#scenario;
    const { answer, bucket } = running.task;
    return keyAnswer?.(key, now) ?? answer?.(now, running.calls) ?? this.#keyAtProvider(key, bucket).call(now + 2);
  }

  #keyAtProvider(key: number, bucket = ''): ProviderKey {
    const { limits, shared } = this.#scenario;
    const id = `${shared ? 'all' : key}#${bucket}`;
    const known = this.#provider.get(id) ?? new ProviderKey(limits, this.#random);
    this.#provider.set(id, known);
    return known;
  }

  #pool(shard: number): Pool {
    const host = this.#shards[shard];
    if (host === undefined) throw new Error(`no shard ${shard}`);
    return host.pool;
  }

  /** As the Durable Object does after each question, and when its alarm rings. */
  #serve(shard: number): void {
    const host = this.#shards[shard];
    if (host === undefined) return;
    const { now } = this.#clock;
    const { pulls, nextAt } = pull(host.pool, now);
    for (const each of pulls) {
      noteAsking(host.pool, each, now);
      this.#clock.after(WRITE_MS, () => {
        const { line, limit, tasks, perSecond } = each.request;
        const waiting = this.#lines.get(line) ?? [];
        if (perSecond !== undefined) this.#rates.push({ at: this.#clock.now, shard, perSecond, left: waiting.length });
        const named = waiting.filter(({ index }) => tasks?.includes(`tsk_${index}`) ?? true);
        const released = named.slice(0, limit);
        this.#lines.set(
          line,
          waiting.filter((running) => !released.includes(running)),
        );
        for (const running of released) this.#wake(running, each.request.shard ?? shard, each.of !== 'refused');
        this.#clock.after(WRITE_MS, () => {
          notePulled(
            host.pool,
            each,
            { released: released.length, left: waiting.length > released.length },
            this.#clock.now,
          );
          this.#serve(shard);
        });
      });
    }
    if (nextAt < host.pullAt || host.pullAt <= now) {
      host.pullAt = nextAt;
      if (nextAt < Infinity) this.#clock.at(nextAt, () => host.pullAt === nextAt && this.#serve(shard));
    }
  }

  #wake(running: Running, shard: number, hasArrived: boolean): void {
    const { queueMs = DEFAULT_QUEUE_MS } = this.#scenario;
    this.#clock.after(MIN_QUEUE_MS + this.#random() * (queueMs - MIN_QUEUE_MS), () =>
      this.#ask(running, shard, this.#clock.now, { hasArrived, isInTurn: true }),
    );
  }

  #end(running: Running, outcome: 'succeeded' | 'failed', now: number): void {
    running.outcome = outcome;
    running.endedAt = now;
    this.#open -= 1;
    this.#lastEndAt = now;
  }
}

function feedbackOf({ status, retryAfterMs }: Said, now: number): KeyFeedback {
  if (status === 413) return { kind: 'too-large', httpStatus: 413 };
  if (status === 429) {
    return { kind: 'limited', quota: false, resetAt: retryAfterMs === undefined ? undefined : now + retryAfterMs };
  }
  return status < 400 ? { kind: 'worked' } : { kind: 'refused', httpStatus: status, about: 'key' };
}
