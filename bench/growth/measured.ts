/** The operations whose cost must not grow with the table, each as the Workers call them. */
import { importMacKey } from '../../shared/crypto/mac.ts';
import { recordAccepted } from '../../shared/store/accept.ts';
import { DUE_KINDS, readDue, scanForStrays } from '../../shared/store/carrier.ts';
import { claimTasks } from '../../shared/store/claim.ts';
import { findTasks, forgetFinds } from '../../shared/store/find.ts';
import { endLives } from '../../shared/store/lives.ts';
import { readLines, releaseDueHeads, releaseParkedTasks } from '../../shared/store/parking.ts';
import { readTask } from '../../shared/store/read.ts';
import { requestColumns } from '../../shared/store/request-columns.ts';
import { stateOfRow } from '../../shared/store/row.ts';
import { type Move, recordTransitions } from '../../shared/store/transitions.ts';
import { mintTaskId, smallestTaskIdAt } from '../../shared/task/id.ts';
import { type TaskEvent, transition } from '../../shared/task/transition.ts';
import { createdAt, LINE, RARE, SMALL } from './filling.ts';

export interface Cost {
  readonly read: number;
  readonly written: number;
  readonly ms: number;
}

interface Operation {
  readonly name: string;
  /** @param timed what is measured; what is done besides is not */
  readonly run: (db: D1Database, timed: D1Database, round: number) => Promise<unknown>;
}

const key = await importMacKey('id-secret-of-the-growth-bench-32-bytes');
const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };
const BODY = { type: 'application/json', encoding: 'json', text: JSON.stringify({ text: 'x'.repeat(1_000) }) } as const;
const BATCH = 10;
const ROUNDS = 15;

/** Later than all that the table was filled with. */
const now = createdAt(20_000_000);
const before = smallestTaskIdAt(now);
/** When the latest of those tasks were created whose bodies go. */
let later = now;
/** Where the walk stands that deletes rows. */
let oldest = '';

async function tasks(count = BATCH, at = now) {
  return Promise.all(
    Array.from({ length: count }, async () => ({
      id: await mintTaskId(key, 'large', at, 0),
      subject: 'large',
      service: 'common',
      policy: POLICY,
      deadlineAt: now + 86_400_000,
      request: { body: BODY },
    })),
  );
}

async function claim(db: D1Database, at = now) {
  const claims = (await tasks(BATCH, at)).map(({ id, request, ...task }) => ({
    id,
    leaseMs: 60_000,
    task: { ...task, ...requestColumns(request) },
  }));
  return claimTasks(db, { nonce: crypto.randomUUID(), claims }, now);
}

/** What ten claimed tasks come to. */
async function movesOf(
  db: D1Database,
  event: (run: number) => TaskEvent,
  more: Partial<Move>,
  at = now,
): Promise<Move[]> {
  return (await claim(db, at)).flatMap((row) => {
    const state = stateOfRow(row);
    const decision = transition(state, event(state.run));
    if (!decision.ok) return [];
    return [{ id: row.id, expected: { status: state.status, run: state.run }, next: decision.next, ...more }];
  });
}

const succeeded = (db: D1Database, at = now) =>
  movesOf(db, (run) => ({ type: 'succeed', at: now, run }), { result: BODY }, at);

export const MEASURED: readonly Operation[] = [
  { name: 'accept, 10 rows', run: async (_, timed) => recordAccepted(timed, await tasks(), undefined) },
  { name: 'claim, 10 tasks', run: (_, timed) => claim(timed) },
  {
    name: 'settle, 10 tasks',
    run: async (db, timed) => recordTransitions(timed, await succeeded(db)),
  },
  {
    name: 'poll',
    async run(db, timed) {
      const [task] = await tasks(1);
      if (task === undefined) return;
      await recordAccepted(db, [task], undefined);
      await readTask(timed, task.id);
    },
  },
  { name: 'list, 50 of all', run: (_, timed) => findTasks(timed, 'summary', { limit: 50 }) },
  { name: 'list, one in ten', run: (_, timed) => findTasks(timed, 'summary', { limit: 50, service: RARE, before }) },
  {
    name: 'list, nothing fits',
    run: (_, timed) => findTasks(timed, 'summary', { limit: 50, service: 'none', before }),
  },
  { name: 'list, a small tenant', run: (_, timed) => findTasks(timed, 'summary', { limit: 20, subject: SMALL }) },
  {
    name: 'park 10 in a line',
    async run(db, timed) {
      const park = { at: now, isAgain: false };
      const event = { type: 'defer', at: now, reason: 'no-server', delayMs: 60_000, park: { line: LINE } } as const;
      await recordTransitions(timed, await movesOf(db, (run) => ({ ...event, run }), { park }));
    },
  },
  {
    name: 'release 10 of a line',
    async run(db, timed, round) {
      const { released } = await releaseParkedTasks(timed, LINE, 10, undefined, now + round);
      // As they are when their wake-ups come: they leave the line.
      const claims = released.map(({ id }) => ({ id, leaseMs: 60_000 }));
      await claimTasks(db, { nonce: crypto.randomUUID(), claims }, now + round);
    },
  },
  {
    name: 'sweep with nothing due',
    run: async (_, timed) => {
      for (const kind of DUE_KINDS) await readDue(timed, kind, 0, 500);
    },
  },
  {
    name: 'sweep of the lines',
    run: async (_, timed, round) => releaseDueHeads(timed, await readLines(timed, '', 500), now + round),
  },
  { name: 'sweep of 100 finds', run: (_, timed) => forgetFinds(timed, '', 100, '~') },
  { name: 'scan for strays, 1,000', run: (_, timed) => scanForStrays(timed, '', 1_000, 0) },
  {
    name: 'retention, look at 900',
    run: (_, timed) => endLives(timed, { after: '', before: '~', bodiesOf: 0, rowsOf: 0, limit: 900 }, now),
  },
  {
    name: 'retention, 10 bodies',
    async run(db, timed) {
      later += 1;
      await recordTransitions(db, await succeeded(db, later));
      const [after, below] = [smallestTaskIdAt(later), smallestTaskIdAt(later + 1)];
      await endLives(timed, { after, before: below, bodiesOf: now + 1, rowsOf: 0, limit: BATCH }, now);
    },
  },
  {
    name: 'retention, 10 rows',
    async run(_, timed) {
      const { last } = await endLives(timed, { after: oldest, before, bodiesOf: 0, rowsOf: now, limit: BATCH }, now);
      oldest = last ?? oldest;
    },
  },
];

/** Rows: medians of several rounds; time: the mean, because D1 tells whole milliseconds here. */
export async function measure(db: D1Database, { run }: Operation): Promise<Cost> {
  const costs: Cost[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const cost = { read: 0, written: 0, ms: 0 };
    await run(db, metered(db, cost), round);
    costs.push(cost);
  }
  const median = (of: (cost: Cost) => number) => costs.map(of).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  const ms = costs.reduce((sum, cost) => sum + cost.ms, 0) / ROUNDS;
  return { read: median(({ read }) => read), written: median(({ written }) => written), ms };
}

/** Bytes that a task with a request and a result of a kilobyte adds to the database, and those that stay when its bodies go. */
export async function measureTask(db: D1Database): Promise<{ readonly whole: number; readonly bare: number }> {
  const size = async () => (await db.prepare('SELECT 1').run()).meta.size_after;
  const [batches, first] = [100, later + 1];
  const empty = await size();
  for (let batch = 0; batch < batches; batch++) await recordTransitions(db, await succeeded(db, ++later));
  const full = await size();
  const [after, below] = [smallestTaskIdAt(first), smallestTaskIdAt(later + 1)];
  await endLives(db, { after, before: below, bodiesOf: now + 1, rowsOf: 0, limit: batches * BATCH }, now);
  const bytes = (of: number) => Math.round((of - empty) / (batches * BATCH));
  return { whole: bytes(full), bare: bytes(await size()) };
}

function metered(db: D1Database, cost: { read: number; written: number; ms: number }): D1Database {
  const count = <Answer extends D1Result>(answer: Answer): Answer => {
    cost.read += answer.meta.rows_read;
    cost.written += answer.meta.rows_written;
    cost.ms += answer.meta.duration;
    return answer;
  };
  const inner = new WeakMap<object, D1PreparedStatement>();
  const statement = (real: D1PreparedStatement): D1PreparedStatement => {
    const all = async () => count(await real.all());
    const wrapped = {
      bind: (...values: unknown[]) => statement(real.bind(...values)),
      all,
      run: all,
      first: async () => (await all()).results[0] ?? null,
    };
    inner.set(wrapped, real);
    return wrapped as unknown as D1PreparedStatement;
  };
  return {
    prepare: (sql: string) => statement(db.prepare(sql)),
    batch: async (all: D1PreparedStatement[]) =>
      (await db.batch(all.map((each) => inner.get(each) ?? each))).map(count),
  } as unknown as D1Database;
}
