import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { claimTasks } from '../../../shared/store/claim.ts';
import { countOpenTasksOf, readCarriedTasksOf, readUncarriedTasksOf } from '../../../shared/store/open-tasks.ts';
import { recordTransitions } from '../../../shared/store/transitions.ts';
import { mintTaskId, smallestTaskIdAt } from '../../../shared/task/id.ts';
import type { TaskState } from '../../../shared/task/state.ts';
import { countedDatabase } from './counted-database.ts';

const NOW = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;
const SINCE = smallestTaskIdAt(NOW - DAY_MS);
const POLICY = { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 };
const key = await importMacKey(env.ID_SECRET);

beforeEach(() => env.DB.prepare('DELETE FROM tasks').run());

const counters = { run: 1, deferrals: 0, attemptsOffset: 0, policy: POLICY, deadlineAt: NOW + DAY_MS };
const deferred = { ...counters, status: 'deferred', reason: 'no-key', nextAt: NOW + 1_000, deferrals: 1 } as const;
const retrying = { ...counters, status: 'retrying', nextAt: NOW + 2_000 } as const;

interface Kind {
  /** What a claimed task becomes; none: it runs. */
  readonly next?: TaskState;
  readonly dueAt?: number;
}

const UNCARRIED: Readonly<Record<string, Kind>> = {
  waiting: { next: { ...counters, status: 'waiting', callbackUntil: NOW + 60_000, callbackTimeoutMs: 60_000 } },
  'waiting until the deadline': {
    next: { ...counters, status: 'waiting', callbackUntil: NOW + DAY_MS, callbackTimeoutMs: DAY_MS },
  },
  parked: { next: { ...deferred, parkedFor: 'service:ocr' } },
  'parked until the deadline': { next: { ...deferred, nextAt: NOW + DAY_MS, parkedFor: 'service:ocr' } },
  'to be sent': { next: retrying, dueAt: NOW + 5_000 },
  'to be ended': { next: retrying, dueAt: NOW + DAY_MS },
};
const CARRIED: Readonly<Record<string, Kind>> = {
  running: {},
  retrying: { next: retrying },
  deferred: { next: { ...deferred, parkedFor: undefined } },
};
const ENDED: Readonly<Record<string, Kind>> = {
  succeeded: { next: { ...counters, status: 'succeeded', finishedAt: NOW } },
  failed: { next: { ...counters, status: 'failed', finishedAt: NOW } },
};

async function make(service: string, { next, dueAt }: Kind, createdAt = NOW): Promise<string> {
  const id = await mintTaskId(key, 'alice', createdAt, 0);
  const task = { subject: 'alice', service, policy: POLICY, deadlineAt: NOW + DAY_MS, request: '{}' };
  await claimTasks(env.DB, { nonce: `nonce-${id}`, claims: [{ id, leaseMs: 61_000, task }] }, NOW);
  const expected = { status: 'running', run: 1 } as const;
  if (next !== undefined) await recordTransitions(env.DB, [{ id, expected, next, ...(dueAt && { dueAt }) }]);
  return id;
}

async function makeAll(kinds: Readonly<Record<string, Kind>>): Promise<string[]> {
  const ids: string[] = [];
  for (const kind of Object.values(kinds)) {
    ids.push(await make('ocr', kind));
    await make('other', kind);
  }
  return ids.sort();
}

const idsOf = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id).sort();

describe('the open tasks of a service', () => {
  it('that no message carries are found once each, whatever they wait for', async () => {
    const open = await makeAll(UNCARRIED);
    await makeAll(ENDED);
    expect(idsOf(await readUncarriedTasksOf(env.DB, 'ocr', 100))).toEqual(open);
    expect(await countOpenTasksOf(env.DB, 'ocr', SINCE, 100)).toBe(open.length);
    expect(await countOpenTasksOf(env.DB, 'ocr', SINCE, 3)).toBe(3);
    expect(await countOpenTasksOf(env.DB, 'none', SINCE, 100)).toBe(0);
  });

  it('that a message carries are found too, but for calls under way where they are to be ended', async () => {
    const [running, ...others] = [await make('ocr', CARRIED.running as Kind), ...(await makeAll(CARRIED))];
    await makeAll(ENDED);
    expect(await countOpenTasksOf(env.DB, 'ocr', SINCE, 100)).toBe(others.length + 1);
    const read = await readCarriedTasksOf(env.DB, 'ocr', SINCE, 100);
    expect(read.map(({ status }) => status).sort()).toEqual(['deferred', 'retrying']);
    expect(idsOf(read)).not.toContain(running);
    const [first] = await readCarriedTasksOf(env.DB, 'ocr', SINCE, 1);
    expect(await readCarriedTasksOf(env.DB, 'ocr', first?.id ?? '', 100)).toHaveLength(1);
  });

  it('cost reads for what no message carries, and none for what ended before a task could still live', async () => {
    for (let task = 0; task < 40; task++) await make('ocr', ENDED.succeeded as Kind, NOW - 2 * DAY_MS);
    const counted = countedDatabase();
    expect(await countOpenTasksOf(counted.db, 'ocr', SINCE, 100)).toBe(0);
    await make('ocr', UNCARRIED.waiting as Kind);
    expect(await countOpenTasksOf(counted.db, 'ocr', SINCE, 100)).toBe(1);
    expect(counted.rowsRead).toBeLessThan(10);
  });
});
