/**
 * Tasklane's shards and a rate-limited provider under a virtual clock: the pure core as it is, and what
 * shards tell each other with the delays that it has; the rest (queues, batches, calls) as simply as can
 * be. Deterministic for a seed.
 */
import { OutlookBoard } from '../../callback/outlook-board.ts';
import { OutlookMemory } from '../../consumer/capacity/outlook-memory.ts';
import { giveBack } from '../../consumer/keys/pool/give-back.ts';
import { type KeyDecision, lease } from '../../consumer/keys/pool/lease.ts';
import { type ConfiguredLimits, emptyPool, type Pool } from '../../consumer/keys/pool/pool.ts';
import type { KeyReport, KeyVerdict, LimitFacts } from '../../consumer/keys/pool/verdict.ts';
import type { OutlookAnswer } from '../../shared/ledger/contract.ts';

export interface ProviderAnswer {
  readonly verdict: KeyVerdict;
  readonly facts?: LimitFacts;
}

/** Answers a call that arrives with this key now. */
export type Provider = (key: string, task: string, now: number) => ProviderAnswer;

export interface SimulationOptions {
  readonly tasks: number;
  /** Keys on each shard. */
  readonly shards: readonly number[];
  readonly provider: Provider;
  readonly seed?: number;
  readonly latencyMs?: readonly [number, number];
  readonly configured?: ConfiguredLimits;
  readonly maxMs?: number;
  /** Arrivals: by default all at once. */
  readonly arrivalMs?: (task: number) => number;
  /** Where a task is submitted to: by default in turn. */
  readonly shardOf?: (task: number) => number;
  /** Whether shards tell each other how they stand. */
  readonly moves?: boolean;
  readonly concurrentBatches?: number;
}

export interface SimulationResult {
  readonly endedAt: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly calls: number;
  readonly limited: number;
  readonly refused: number;
  readonly deferrals: number;
  readonly moved: number;
  readonly poolCalls: number;
  readonly okByKey: ReadonlyMap<string, number>;
  readonly startsByKey: ReadonlyMap<string, readonly number[]>;
  readonly pools: readonly Pool[];
}

interface Message {
  readonly task: string;
  dueAt: number;
  readonly waits: number;
}

export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function keyId(shard: number, number: number): string {
  return `${shard}/${number}`;
}

const POOL = 'default';

export const T0 = Date.UTC(2026, 10, 20);

export function simulate(options: SimulationOptions): SimulationResult {
  const { provider, latencyMs = [20, 60], configured = {}, maxMs = 3_600_000, moves = true } = options;
  const random = seededRandom(options.seed ?? 1);
  const events: { at: number; order: number; run: (now: number) => void }[] = [];
  let order = 0;
  const after = (at: number, run: (now: number) => void) => {
    const event = { at, order: order++, run };
    let index = events.length;
    while (index > 0 && (events[index - 1]?.at ?? 0) < at) index--;
    while (index > 0 && events[index - 1]?.at === at && (events[index - 1]?.order ?? 0) < event.order) index--;
    events.splice(index, 0, event);
  };

  const shards = options.shards.map((keys, shard) => ({
    shard,
    pool: emptyPool(),
    roster: Array.from({ length: keys }, (_, index) => ({ number: index + 1, fingerprint: keyId(shard, index + 1) })),
    queue: [] as Message[],
    busy: 0,
    outlooks: new OutlookMemory(),
  }));
  const board = new OutlookBoard();
  const tally = { succeeded: 0, failed: 0, calls: 0, limited: 0, refused: 0, deferrals: 0, moved: 0, poolCalls: 0 };
  const okByKey = new Map<string, number>();
  const startsByKey = new Map<string, number[]>();
  let endedAt = T0;
  let blocks = 0;

  const enqueue = (shard: (typeof shards)[number], message: Message) => {
    shard.queue.push(message);
    after(message.dueAt, () => pump(shard));
  };
  let now = T0;
  const pump = (shard: (typeof shards)[number]) => {
    if (shard.busy >= (options.concurrentBatches ?? 1)) return;
    const due = shard.queue.filter(({ dueAt }) => dueAt <= now).slice(0, 100);
    if (due.length === 0) return;
    shard.queue = shard.queue.filter((message) => !due.includes(message));
    shard.busy += 1;
    after(now + 10, () => runBatch(shard, due));
  };
  const settleAt = (task: string) => {
    tally.succeeded += task === '' ? 0 : 1;
    endedAt = Math.max(endedAt, now);
  };
  const wait = (shard: (typeof shards)[number], message: Message, decision: KeyDecision) => {
    if (decision.is === 'refused') {
      tally.failed += 1;
      endedAt = Math.max(endedAt, now);
      return;
    }
    if (decision.is === 'granted') return;
    tally.deferrals += 1;
    const delay = Math.max(1000, Math.ceil((decision.until - now) / 1000) * 1000);
    const target = decision.shard === undefined ? shard : shards[decision.shard];
    if (target === undefined) throw new Error('no such shard');
    if (target !== shard) {
      tally.moved += 1;
      shard.outlooks.noteSent(POOL, target.shard);
    }
    enqueue(target, { task: message.task, dueAt: now + delay + random() * 50, waits: message.waits + 1 });
  };

  const exchange = ({ shard, outlooks }: (typeof shards)[number]): OutlookAnswer['elsewhere'] => {
    const answer = board.exchange(outlooks.take(shard), now);
    outlooks.hear(answer, now);
    return answer.elsewhere;
  };
  const runBatch = (shard: (typeof shards)[number], batch: Message[]) => {
    const block = `block ${blocks++}`;
    const { outlooks } = shard;
    const others = moves ? (outlooks.recent(new Map([[POOL, batch.length]]), now) ?? exchange(shard)) : {};
    tally.poolCalls += 1;
    const answer = lease(
      shard.pool,
      {
        block,
        expiresAt: now + 61_000,
        tasks: batch.map(({ task, waits }) => ({ id: task, waits })),
        roster: shard.roster,
        configured,
        elsewhere: others[POOL] ?? [],
        incoming: outlooks.takeIncoming(POOL),
      },
      now,
    );
    shard.outlooks.note(POOL, answer.outlook);
    const byTask = new Map(batch.map((message) => [message.task, message]));
    const messageOf = (task: string) => {
      const message = byTask.get(task);
      if (message === undefined) throw new Error(`no message ${task}`);
      return message;
    };
    let open = 0;
    let pending: KeyReport[] = [];
    let flushing = false;
    const flush = () => {
      flushing = false;
      if (pending.length === 0) return;
      const reports = pending;
      pending = [];
      tally.poolCalls += 1;
      const returned = giveBack(shard.pool, { block, reports }, now);
      shard.outlooks.note(POOL, returned.outlook);
      for (const decision of returned.decisions) wait(shard, messageOf(decision.task), decision);
    };
    const done = () => {
      if (open > 0) return;
      flush();
      after(now + 10, () => {
        shard.busy -= 1;
        pump(shard);
      });
    };
    for (const decision of answer.decisions) {
      if (decision.is !== 'granted') {
        wait(shard, messageOf(decision.task), decision);
        continue;
      }
      open += 1;
      const key = keyId(shard.shard, decision.key);
      const startedAt = now + random() * 15;
      const arrivesAt = startedAt + random() * 10;
      after(arrivesAt, () => {
        tally.calls += 1;
        const starts = startsByKey.get(key) ?? [];
        starts.push(now);
        startsByKey.set(key, starts);
        const said = provider(key, decision.task, now);
        const lasts = said.verdict.kind === 'worked' ? latencyMs[0] + random() * (latencyMs[1] - latencyMs[0]) : 5;
        after(now + lasts, () => {
          pending.push({ task: decision.task, startedAt, endedAt: now, ...said });
          open -= 1;
          if (said.verdict.kind === 'worked') {
            okByKey.set(key, (okByKey.get(key) ?? 0) + 1);
            settleAt(decision.task);
          } else {
            if (said.verdict.kind === 'limited') tally.limited += 1;
            if (said.verdict.kind === 'refused') tally.refused += 1;
            if (!flushing) {
              flushing = true;
              after(now + 30, flush);
            }
          }
          done();
        });
      });
    }
    // Tells the others who waits here, and whom it has sent to them.
    if (moves && answer.decisions.some(({ is }) => is === 'waiting')) after(now + 5, () => exchange(shard));
    done();
  };

  for (let index = 0; index < options.tasks; index++) {
    const shard = shards[options.shardOf?.(index) ?? index % shards.length];
    if (shard === undefined) continue;
    enqueue(shard, { task: `task ${index}`, dueAt: T0 + (options.arrivalMs?.(index) ?? index), waits: 0 });
  }
  for (let event = events.pop(); event !== undefined; event = events.pop()) {
    now = event.at;
    if (now > T0 + maxMs) break;
    event.run(now);
  }
  return { ...tally, endedAt: endedAt - T0, okByKey, startsByKey, pools: shards.map(({ pool }) => pool) };
}

interface RateOptions {
  readonly limit: number;
  readonly windowMs: number;
  readonly headers?: boolean;
  readonly revoked?: (key: string) => boolean;
}

const refusedAnswer: ProviderAnswer = { verdict: { kind: 'refused', httpStatus: 401 } };

function limitedFor(ms: number, now: number): ProviderAnswer {
  return { verdict: { kind: 'limited', quota: false, resetAt: now + Math.max(1, Math.ceil(ms / 1000)) * 1000 } };
}

/** Windows that start with a key's first call. */
export function fixedWindow({ limit, windowMs, revoked, headers }: RateOptions): Provider {
  const windows = new Map<string, { from: number; count: number }>();
  return (key, _task, now) => {
    if (revoked?.(key)) return refusedAnswer;
    let window = windows.get(key);
    if (window === undefined || now >= window.from + windowMs) {
      window = { from: now, count: 0 };
      windows.set(key, window);
    }
    if (window.count >= limit) return limitedFor(window.from + windowMs - now, now);
    window.count += 1;
    const requests = { limit, remaining: limit - window.count, resetAt: window.from + windowMs };
    return { verdict: { kind: 'worked' }, ...(headers && { facts: { requests } }) };
  };
}

export function slidingWindow({ limit, windowMs, revoked }: RateOptions): Provider {
  const starts = new Map<string, number[]>();
  return (key, _task, now) => {
    if (revoked?.(key)) return refusedAnswer;
    const recent = (starts.get(key) ?? []).filter((at) => at > now - windowMs);
    starts.set(key, recent);
    if (recent.length >= limit) return limitedFor((recent[0] ?? now) + windowMs - now, now);
    recent.push(now);
    return { verdict: { kind: 'worked' } };
  };
}

export function tokenBucket({ limit, windowMs, revoked }: RateOptions, capacity = limit): Provider {
  const buckets = new Map<string, { level: number; at: number }>();
  return (key, _task, now) => {
    if (revoked?.(key)) return refusedAnswer;
    const bucket = buckets.get(key) ?? { level: capacity, at: now };
    bucket.level = Math.min(capacity, bucket.level + ((now - bucket.at) * limit) / windowMs);
    bucket.at = now;
    buckets.set(key, bucket);
    if (bucket.level < 1) return limitedFor(((1 - bucket.level) * windowMs) / limit, now);
    bucket.level -= 1;
    return { verdict: { kind: 'worked' } };
  };
}
