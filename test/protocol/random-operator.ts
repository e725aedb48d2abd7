/**
 * What an operator does meanwhile: pauses services and lets them go on, disables, enables and resets keys, cancels or redrives
 * many tasks at once. Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { env } from 'cloudflare:workers';
import { JOBS_A_ROUND, runJobs } from '../../callback/jobs/run.ts';
import { resume, setPaused } from '../../callback/services/services.ts';
import { jobId, STATUSES_OF_ACT } from '../../shared/job/job.ts';
import type { KeyAction } from '../../shared/key/rpc.ts';
import { KNOWN_WITHIN_MS } from '../../shared/service/known-services.ts';
import { createJob, readJob } from '../../shared/store/jobs.ts';
import type { BackendCall } from './backend.ts';
import { HOUR_MS, MINUTE_MS } from './clock.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';

/** What is told may have been said so long before. */
const TOLD_LATE_MS = 1_000;

/** So long a batch may have read what it goes by before it began, or after. */
const READ_BESIDE_MS = 1_500;

const OF_HOST: Readonly<Record<string, string>> = {
  'backend.test': 'fetched',
  'keyed.test': 'keyed',
  'one.test': 'served',
  'two.test': 'served',
};

/** While nothing of a kind may be called. */
interface Span {
  readonly what: string;
  readonly from: number;
  to: number;
  readonly holds: (call: BackendCall, from: number) => boolean;
}

/** By their hosts; a bound Worker has none of its own. */
function serviceOf({ request }: BackendCall): string {
  return OF_HOST[new URL(request.url).hostname] ?? 'bound';
}

const nameOfSpan = (key: string) => `key ${key} was disabled`;

export class Operator {
  readonly #house: House;
  readonly #dice: Dice;
  readonly #spans: Span[] = [];
  readonly #jobs: string[] = [];
  /** By then each key is where it was. */
  readonly #keys;

  constructor(house: House, seed: number, services: readonly string[]) {
    this.#house = house;
    this.#dice = new Dice(seed * 141_650_939);
    this.#keys = house.consumers.release.keys;
    const dice = this.#dice;
    if (dice.chance(0.7)) return;
    const first = dice.between(0, services.length - 1);
    for (const service of services.slice(first, first + dice.pick([0, 1, 1, 2]))) this.#pause(service);
    for (let count = dice.pick([0, 0, 1, 3]); count > 0; count--) this.#turnKey(dice.between(1, 2));
    if (dice.chance(0.3)) this.#runJob(dice.chance(0.7) ? 'redrive' : 'cancel');
  }

  /** Looked at when nothing moves any more. */
  async check(): Promise<void> {
    for (const { what, from, to, holds } of this.#spans) {
      const call = this.#house.backend.calls.find((each) => {
        const { toleranceMs } = this.#house.promises;
        const isWithin =
          each.caller.startedAt - toleranceMs > from + KNOWN_WITHIN_MS && each.startedAt + toleranceMs < to;
        return isWithin && holds(each, from);
      });
      if (call !== undefined) throw new Error(`${call.id} was called though ${what}`);
    }
    for (const id of this.#jobs) {
      const job = await readJob(env.DB, id);
      if (job?.status !== 'finished') throw new Error(`the job ${id} is ${job?.status}`);
    }
  }

  #pause(service: string): void {
    const house = this.#house;
    const dice = this.#dice;
    const lastsMs = dice.pick([dice.between(1_000, 60_000), dice.between(MINUTE_MS, 2 * HOUR_MS)]);
    const endsItself = dice.chance(0.3);
    const rampSeconds = dice.chance(0.3) ? dice.between(1, 300) : undefined;
    const { object } = house.fleet;
    const isPaused = () => object.registry.catalog.paused.has(service);
    // What is known stays as long as nobody can be asked.
    const wasTold = ({ caller }: BackendCall, from: number) =>
      caller.toldAt.some((at) => at > from + TOLD_LATE_MS && at < caller.startedAt + READ_BESIDE_MS);
    const holds = (call: BackendCall, from: number) => serviceOf(call) === service && wasTold(call, from);
    house.plan(house.clock.now + dice.between(0, 120_000), async () => {
      const until = house.clock.now + lastsMs;
      await this.#do(`pause ${service} for ${lastsMs} ms`, isPaused, () =>
        object.change((registry) => setPaused(registry, service, endsItself ? { until } : {})),
      );
      const span = { what: `${service} was paused`, from: house.clock.now, to: until, holds };
      this.#spans.push(span);
      if (endsItself) return;
      house.plan(until, async () => {
        this.#end(span.what);
        await this.#do(
          `resume ${service}`,
          () => !isPaused(),
          () => object.change((registry, now) => resume(registry, service, rampSeconds, now)),
        );
      });
    });
  }

  #turnKey(number: number): void {
    const house = this.#house;
    const dice = this.#dice;
    const action = dice.pick(['disable', 'disable', 'enable', 'reset'] as const);
    const at = house.clock.now + dice.between(0, 120_000);
    const lastsMs = dice.pick([dice.between(1_000, 60_000), dice.between(MINUTE_MS, HOUR_MS)]);
    house.plan(at, async () => {
      const value = house.consumers.release.keys[0]?.[`KEY${number}`];
      if (value === undefined) return;
      await this.#changeKey(value, action);
      if (action !== 'disable') return;
      house.plan(at + lastsMs, () => this.#changeKey(value, 'enable'));
      // Where a deploy has moved it, isolates of before may ask a shard that met it before.
      if (house.consumers.release.keys !== this.#keys) return;
      const holds = ({ request }: BackendCall) => request.headers.get('authorization') === `Bearer ${value}`;
      this.#spans.push({ what: nameOfSpan(value), from: house.clock.now, to: Number.POSITIVE_INFINITY, holds });
    });
  }

  #end(what: string): void {
    for (const span of this.#spans) if (span.what === what) span.to = Math.min(span.to, this.#house.clock.now);
  }

  /** Wherever a deploy has put it meanwhile. */
  #changeKey(value: string, action: KeyAction): Promise<void> {
    const house = this.#house;
    if (action === 'enable') this.#end(nameOfSpan(value));
    let isDone = false;
    return this.#do(
      `${action} key ${value}`,
      () => isDone,
      async () => {
        const { keys } = house.consumers.release;
        const shard = keys.findIndex((ofShard) => Object.values(ofShard).includes(value));
        const variable = Object.keys(keys[shard] ?? {}).find((name) => keys[shard]?.[name] === value);
        const members = (await house.clock.outside(house.consumers.membersOf(shard))) ?? [];
        const number = Number(variable?.slice('KEY'.length));
        if (variable !== undefined) await house.keyPools[shard]?.change(members, number, action);
        isDone = true;
      },
    );
  }

  /** As often as it takes: who is told of an error does it again, also while a database is away for ten minutes. */
  async #do(what: string, isDone: () => boolean, act: () => unknown): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      this.#house.note(what);
      try {
        await act();
      } catch {}
      if (isDone()) return;
      await this.#house.clock.sleep(5_000);
    }
    throw new Error(`nobody could ${what}`);
  }

  #runJob(act: 'redrive' | 'cancel'): void {
    const house = this.#house;
    house.plan(house.clock.now + this.#dice.between(0, 30 * MINUTE_MS), async () => {
      const now = house.clock.now;
      const id = jobId(now, '00000000');
      const filter = JSON.stringify({ statuses: STATUSES_OF_ACT[act], limit: 1 });
      const what = { id, act, subject: 'root', asked: '{}', filter, per_second: null, matched: 0, is_counted: 1 };
      await house.clock.outside(createJob(env.DB, { ...what, created_at: now }));
      house.note(`job ${act}`);
      this.#jobs.push(id);
      if (act === 'redrive') house.promises.redrives += 1;
      await this.#goOn(id);
    });
  }

  /** Each minute, as the sweeper's Worker does. */
  async #goOn(id: string): Promise<void> {
    const house = this.#house;
    for (let round = 0; round < 60; round++) {
      await house.callback('jobs', (callback) => runJobs(callback, JOBS_A_ROUND, Date.now));
      const job = await house.clock.outside(readJob(env.DB, id));
      if (job?.status === 'finished') return;
      // Services that bear little are waited for.
      await house.clock.sleep(Math.min(2 ** round * MINUTE_MS, HOUR_MS));
    }
  }
}
