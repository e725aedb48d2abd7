/**
 * Queues, consumers and stores as a queueing network, in virtual time: tasks arrive at random, wait in the
 * queue of their shard until an invocation is free, are claimed by a statement of their store, called six at a
 * time, and settled by another. A store runs one statement at a time, as D1 does. Deterministic by its seed.
 */

import { lanesOf } from '../../shared/store/fill.ts';

export interface Setting {
  readonly perSecond: number;
  readonly shards: number;
  readonly stores: number;
  /** Tasks a batch at most. */
  readonly batch: number;
  readonly connections: number;
  /** Batches of a shard at the same time. */
  readonly invocations: number;
  readonly callMs: number;
  /** Milliseconds of a statement: in itself, and for each of its rows. */
  readonly statement: { readonly base: number; readonly row: number };
  /** Of the one thread that all Workers share in the local run; absent where each has its own. */
  readonly threadMsACall?: number;
  readonly releases?: Releases;
}

/** Instead of a stream: a line from which so many are let go at a time, the first at once. */
export interface Releases {
  readonly size: number;
  readonly everyMs: number;
  readonly total: number;
}

export interface Outcome {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly endedPerSecond: number;
  /** The share of time in which a store works. */
  readonly storeLoad: number;
}

/** Seconds that are simulated, and tasks at least; the first third is left out, in which queues and batches come to be. */
const SECONDS = 12;
const MIN_TASKS = 40_000;
const SLOT_MS = 250;

export function simulate(setting: Setting, seed: number): Outcome {
  const { shards, stores, batch, connections, invocations, callMs, statement, threadMsACall } = setting;
  const random = dice(seed);
  const arrivals = arrivalsOf(setting, random);
  const total = arrivals.length;
  const now = arrivals.at(-1) ?? 0;
  const free = Array.from({ length: shards }, () => Array.from({ length: invocations }, () => 0));
  const storeFree = new Map<number, number>();
  let worked = 0;
  let threadFree = 0;
  const tookMs: number[] = [];
  let endAt = 0;

  // Ran through shard by shard in the order of arrival: who waits for an invocation waits with its batch.
  const waiting = Array.from({ length: shards }, (): number[] => []);
  for (const arrival of arrivals) waiting[Math.floor(random() * shards)]?.push(arrival);
  const heads = waiting.map(() => 0);
  for (;;) {
    // The shard whose next batch can start first.
    let next: { shard: number; slot: number; at: number } | undefined;
    for (let shard = 0; shard < shards; shard++) {
      const arrival = waiting[shard]?.[heads[shard] ?? 0];
      if (arrival === undefined) continue;
      const slots = free[shard] ?? [];
      let slot = 0;
      for (let other = 1; other < slots.length; other++) if ((slots[other] ?? 0) < (slots[slot] ?? 0)) slot = other;
      const at = Math.max(arrival, slots[slot] ?? 0);
      if (next === undefined || at < next.at) next = { shard, slot, at };
    }
    if (next === undefined) break;
    const { shard, slot, at } = next;
    const queue = waiting[shard] ?? [];
    const head = heads[shard] ?? 0;
    let size = 0;
    while (size < batch && (queue[head + size] ?? Number.POSITIVE_INFINITY) <= at) size += 1;
    heads[shard] = head + size;
    const arrived = queue.slice(head, head + size);
    const groups = Map.groupBy(arrived, (arrival) => storeAt(arrival, stores));

    const ask = (from: number) => {
      let done = from;
      for (const [store, tasks] of groups) {
        const ms = statement.base + statement.row * tasks.length;
        const start = Math.max(from, storeFree.get(store) ?? 0, threadMsACall === undefined ? 0 : threadFree);
        storeFree.set(store, start + ms);
        if (threadMsACall !== undefined) threadFree = start + ms;
        worked += ms;
        done = Math.max(done, start + ms);
      }
      return done;
    };
    const claimed = ask(at);
    let called = claimed + Math.ceil(size / connections) * callMs;
    if (threadMsACall !== undefined) {
      threadFree = Math.max(threadFree, claimed) + threadMsACall * size;
      called = Math.max(called, threadFree);
    }
    // Settles come later than claims of others that start now: the store is asked when its time has come.
    const settled = called + (ask(claimed) - claimed);
    const slots = free[shard];
    if (slots !== undefined) slots[slot] = settled;
    for (const arrival of arrived) if (arrival > now / 3) tookMs.push(settled - arrival);
    endAt = Math.max(endAt, settled);
  }
  tookMs.sort((a, b) => a - b);
  return {
    p50Ms: tookMs[Math.floor(tookMs.length * 0.5)] ?? 0,
    p99Ms: tookMs[Math.floor(tookMs.length * 0.99)] ?? 0,
    endedPerSecond: (total / endAt) * 1_000,
    storeLoad: worked / endAt / stores,
  };
}

/** When tasks come to their queues, in order. */
function arrivalsOf({ perSecond, releases }: Setting, random: () => number): number[] {
  if (releases !== undefined) {
    const { size, everyMs, total } = releases;
    return Array.from({ length: total }, (_, task) => Math.floor(task / size) * everyMs);
  }
  const arrivals: number[] = [];
  for (let now = 0, task = 0; task < Math.max(MIN_TASKS, perSecond * SECONDS); task++) {
    now += (-Math.log(1 - random()) * 1_000) / perSecond;
    arrivals.push(now);
  }
  return arrivals;
}

/**
 * Requests that clients make one after the other, each on its own connection, of one thread that takes `requestMs` of
 * processor for one, a quarter more or less.
 * @returns how many a second
 */
export function simulateAccepts(requestMs: number, connections: number, seed: number): number {
  const random = dice(seed);
  const asks = Array.from({ length: connections }, () => 0);
  let free = 0;
  const requests = 20_000;
  for (let request = 0; request < requests; request++) {
    let next = 0;
    for (let other = 1; other < connections; other++) if ((asks[other] ?? 0) < (asks[next] ?? 0)) next = other;
    free = Math.max(free, asks[next] ?? 0) + requestMs * (0.75 + random() / 2);
    asks[next] = free;
  }
  return requests / (free / 1_000);
}

/** The same store for all tasks of a slot and lane, as `shared/store/fill.ts` chooses among equals. */
function storeAt(arrival: number, stores: number): number {
  const lane = Math.floor(arrival * 10_000) % lanesOf(stores);
  return (Math.floor(arrival / SLOT_MS) * 7_919 + lane * 31) % stores;
}

/** Mulberry32. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
