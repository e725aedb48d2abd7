/**
 * A spike at a service that takes few calls at a time, and newcomers after it: how long the spike's tasks
 * wait beside a perfect first-come line, and how many questions the registry is asked. The real host under
 * a virtual clock, with consumers, queue and ledger as far as they matter here.
 */
import { takeReports } from '../../callback/capacity/report.ts';
import type { CallReport } from '../../shared/registry/routing.ts';
import { CountedObject } from './counted-object.ts';
import { seededRandom } from './seeded-random.ts';

export const SPIKE = 3_000;
const MAX_CONCURRENCY = 10;
const NEWCOMERS_PER_SECOND = 9;
const SERVICE = 'work';

/** As the queue is deployed. */
const BATCH = 10;
/** From a send to the batch, and from the batch's question to the row that says that a task is parked. */
const DELIVERY_MS = 100;
const SETTLE_MS = 50;
/** As `consumer/capacity/server-leases.ts` reports while others stand in line. */
const TOGETHER_MS = 50;

/** As it asks again for calls that are to have a place within a moment: the registry may hold the question. */
const MIN_PAUSE_MS = 20;
const HELD_MS = 300;

const STEP_MS = 5;
const START = Date.UTC(2026, 0, 1);

export interface FirstCome {
  /** Seconds from the spike to the start of its tasks: the median, 90th percentile and last. */
  readonly waits: readonly [number, number, number];
  readonly ideal: readonly [number, number, number];
  /** Questions for each call that was made. */
  readonly questions: number;
  readonly reports: number;
  /** Tasks parked more often than once, of all. */
  readonly parkedAgain: number;
  readonly mostAtOnce: number;
}

interface Task {
  readonly id: number;
  readonly callMs: number;
  parkings: number;
  startedAt: number | undefined;
  /** Its row says that it is parked, and it was not released. */
  stands: boolean;
}

/** The calls that one question gave places to. */
interface Lease {
  readonly leaseId: string;
  readonly open: Set<Task>;
  /** By the call that each follows. */
  readonly followers: Map<number, Task>;
  pending: CallReport[];
}

export async function runFirstCome(callMs: (random: () => number) => number = (random) => 800 + 400 * random()) {
  return new Run(callMs).run();
}

class Run {
  readonly #object = new CountedObject(
    { [SERVICE]: { baseUrl: 'https://work.example.net', maxConcurrency: MAX_CONCURRENCY } },
    START,
  );
  readonly #random = seededRandom(7);
  readonly #callMs: (random: () => number) => number;
  readonly #tasks: Task[] = [];
  readonly #events: { readonly at: number; readonly act: () => Promise<void> | void }[] = [];
  readonly #queue: { readonly at: number; readonly task: Task }[] = [];
  #leases = 0;
  #questions = 0;
  #reports = 0;
  #running = 0;
  #mostAtOnce = 0;
  /** Until when newcomers are parked without a question. */
  #lineUntil = 0;

  constructor(callMs: (random: () => number) => number) {
    this.#callMs = callMs;
    this.#object.release = async ({ limit }) => {
      const inLine = this.#tasks.filter(({ stands }) => stands);
      const released = inLine.slice(0, limit);
      for (const task of released) {
        task.stands = false;
        this.#queue.push({ at: this.#now + DELIVERY_MS, task });
      }
      return { released: released.length, left: inLine.length > released.length };
    };
  }

  get #now(): number {
    return this.#object.now;
  }

  async run(): Promise<FirstCome> {
    for (let task = 0; task < SPIKE; task++) this.#submit();
    let newcomers = 0;
    while (this.#tasks.some(({ id, startedAt }) => id < SPIKE && startedAt === undefined)) {
      await this.#object.passTimeTo(this.#now + STEP_MS);
      // Answers that were held until now are on their way.
      await new Promise((resolve) => setImmediate(resolve));
      for (; newcomers < ((this.#now - START) / 1000) * NEWCOMERS_PER_SECOND; newcomers++) this.#submit();
      while (this.#events[0] !== undefined && this.#events[0].at <= this.#now) await this.#events.shift()?.act();
      await this.#deliver();
    }
    const started = this.#tasks.filter(({ startedAt }) => startedAt !== undefined);
    const waits = started.filter(({ id }) => id < SPIKE).map(({ startedAt = 0 }) => (startedAt - START) / 1000);
    return {
      waits: quantiles(waits),
      ideal: quantiles(this.#idealWaits()),
      questions: this.#questions / started.length,
      reports: this.#reports / started.length,
      parkedAgain: started.filter(({ parkings }) => parkings > 1).length / started.length,
      mostAtOnce: this.#mostAtOnce,
    };
  }

  /** With as many places and nothing in between, the same calls. */
  #idealWaits(): number[] {
    const places = Array.from({ length: MAX_CONCURRENCY }, () => 0);
    return this.#tasks.slice(0, SPIKE).map(({ callMs }) => {
      places.sort((a, b) => a - b);
      const at = places[0] ?? 0;
      places[0] = at + callMs / 1000;
      return at;
    });
  }

  #submit(): void {
    const id = this.#tasks.length;
    const task = { id, callMs: this.#callMs(this.#random), parkings: 0, startedAt: undefined, stands: false };
    this.#tasks.push(task);
    this.#queue.push({ at: this.#now + DELIVERY_MS, task });
  }

  #later(afterMs: number, act: () => Promise<void> | void): void {
    const at = this.#now + afterMs;
    const index = this.#events.findIndex((event) => event.at > at);
    this.#events.splice(index < 0 ? this.#events.length : index, 0, { at, act });
  }

  async #deliver(): Promise<void> {
    for (;;) {
      const ready = this.#queue.slice(0, BATCH).filter(({ at }) => at <= this.#now);
      if (ready.length === 0) return;
      this.#queue.splice(0, ready.length);
      const late = ready.filter(({ task }) => task.parkings === 0 && this.#now < this.#lineUntil);
      for (const { task } of late) this.#park(task);
      const asking = ready.filter((each) => !late.includes(each)).map(({ task }) => task);
      // Its answer may take a moment.
      if (asking.length > 0) void this.#ask(asking, 0);
    }
  }

  async #ask(tasks: readonly Task[], round: number): Promise<void> {
    this.#questions += 1;
    const calls = tasks.map(({ id, parkings }) => ({ id: String(id), service: SERVICE, waits: parkings + round }));
    const mayWait = calls.every(({ waits }) => waits > 0);
    const lease: Lease = {
      leaseId: `lease number ${this.#leases++}`,
      open: new Set(),
      followers: new Map(),
      pending: [],
    };
    const request = { leaseId: lease.leaseId, expiresAt: this.#now + 120_000, mayWait, calls };
    const answer = await this.#object.host.route(request, this.#random);
    this.#lineUntil = answer.lines[SERVICE] ?? this.#lineUntil;
    const soon: { task: Task; until: number }[] = [];
    for (const [index, decision] of answer.decisions.entries()) {
      const task = tasks[index];
      if (task === undefined) continue;
      if (decision.is === 'routed') this.#call(lease, task);
      else if (decision.is === 'following') {
        lease.open.add(task);
        lease.followers.set(Number(decision.call), task);
      } else if (decision.line === undefined) soon.push({ task, until: decision.until });
      else this.#park(task);
    }
    if (soon.length === 0) return;
    const pauseMs = Math.max(MIN_PAUSE_MS, Math.min(...soon.map(({ until }) => until)) - this.#now - HELD_MS);
    const left = soon.map(({ task }) => task);
    this.#later(pauseMs, () => void this.#ask(left, round + 1));
  }

  #park(task: Task): void {
    task.parkings += 1;
    this.#later(SETTLE_MS, () => {
      task.stands = true;
    });
  }

  #call(lease: Lease, task: Task): void {
    task.startedAt = this.#now;
    this.#running += 1;
    this.#mostAtOnce = Math.max(this.#mostAtOnce, this.#running);
    lease.open.add(task);
    this.#later(task.callMs, () => {
      this.#running -= 1;
      lease.open.delete(task);
      lease.pending.push({ id: String(task.id), service: SERVICE, outcome: 'answered', durationMs: task.callMs });
      const follower = lease.followers.get(task.id);
      // Its place goes on: nobody waits for the report.
      if (follower !== undefined) return this.#call(lease, follower);
      if (lease.open.size === 0) return this.#report(lease);
      this.#later(TOGETHER_MS, () => this.#report(lease));
      return undefined;
    });
  }

  async #report(lease: Lease): Promise<void> {
    if (lease.pending.length === 0) return;
    this.#reports += 1;
    const reports = { leaseId: lease.leaseId, reports: lease.pending };
    lease.pending = [];
    await this.#object.host.direct((registry, now) => takeReports(registry, reports, now, this.#random));
  }
}

function quantiles(values: readonly number[]): [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return [at(0.5), at(0.9), at(1)];
}
