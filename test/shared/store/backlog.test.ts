import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { mergeLines, readWaitingLines } from '../../../shared/store/backlog.ts';
import { releaseParkedTasks } from '../../../shared/store/parking.ts';
import { mintTaskId } from '../../../shared/task/id.ts';
import type { DeferralReason } from '../../../shared/task/state.ts';
import { countedDatabase } from './counted-database.ts';

const NOW = Date.UTC(2026, 10, 20);
const key = await importMacKey(env.ID_SECRET);

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare('DELETE FROM tasks'), env.DB.prepare('DELETE FROM lines')]);
});

/** @returns the id of the oldest */
async function park(line: string, service: string, count: number, reason: DeferralReason = 'no-key'): Promise<string> {
  const ids = await Promise.all(Array.from({ length: count }, (_, at) => mintTaskId(key, 'a', NOW + at, 0)));
  await env.DB.batch(
    ids.map((id, at) =>
      env.DB.prepare(
        `INSERT INTO tasks (id, subject, service, status, run, deferrals, max_attempts, base_seconds, cap_seconds,
           deadline_at, next_at, due_at, reason, parked_for, place)
         VALUES (?1, 'a', ?2, 'deferred', 1, 1, 8, 2, 60, ?3, ?3, ?3, ?4, ?5, ?6)`,
      ).bind(id, service, NOW + 86_400_000, reason, line, at),
    ),
  );
  return ids.sort()[0] ?? '';
}

describe('what waits in a store', () => {
  it('is told by line, service and reason', async () => {
    const ocr = await park('pool:openai', 'ocr', 3);
    const chat = await park('pool:openai', 'chat', 2, 'rate-limited');
    await park('service:ocr', 'ocr', 1, 'server-busy');
    const lines = await readWaitingLines(env.DB, NOW);
    expect(lines.map(({ line, isCounted }) => [line, isCounted])).toEqual([
      ['service:ocr', true],
      ['pool:openai', true],
    ]);
    expect(lines[1]?.parts).toEqual([
      { service: 'chat', reason: 'rate-limited', count: 2, oldestId: chat },
      { service: 'ocr', reason: 'no-key', count: 3, oldestId: ocr },
    ]);
  });

  it('hides no line of another kind behind very many flows, and leaves none of their tasks out', async () => {
    for (let flow = 0; flow < 130; flow++)
      await park(`flow:a/${String(flow).padStart(3, '0')}`, 'ocr', 1, 'flow-limited');
    await park('pool:openai', 'chat', 4);
    const lines = await readWaitingLines(env.DB, NOW);
    expect(lines.find(({ line }) => line === 'pool:openai')?.parts).toMatchObject([{ service: 'chat', count: 4 }]);
    const flows = lines.filter(({ line }) => line.startsWith('flow:'));
    expect(flows).toHaveLength(101);
    expect(flows.at(-1)).toMatchObject({ line: 'flow:*', parts: [{ service: 'ocr', count: 30 }] });
  });

  it('reads the index alone: an entry a task, and once more to group them', async () => {
    await park('pool:openai', 'ocr', 200);
    const counted = countedDatabase();
    await readWaitingLines(counted.db, NOW);
    expect(counted.rowsRead).toBeLessThan(430);
  });

  it('moves as fast as all shards together that pull from a line', async () => {
    await park('pool:openai', 'ocr', 10);
    for (const [shard, perSecond] of [
      ['shard0', 2],
      ['shard1', 3],
      ['shard0', 2.5],
    ] as const) {
      await releaseParkedTasks(env.DB, 'pool:openai', 1, { perSecond, mover: shard }, NOW + (perSecond - 2) * 20_000);
    }
    const pace = async () => (await readWaitingLines(env.DB, NOW)).map(({ perSecond }) => perSecond);
    expect(await pace()).toEqual([5.5]);
    // The other shard has said nothing for two minutes: it may be gone.
    await releaseParkedTasks(env.DB, 'pool:openai', 1, { perSecond: 4, mover: 'shard0' }, NOW + 150_000);
    expect(await pace()).toEqual([4]);
  });
});

describe('a line over several stores', () => {
  it('is one line, at the pace that all who move it make together', () => {
    const part = { service: 'a', reason: 'no-key', count: 2, oldestId: 'tsk_b' } as const;
    const merged = mergeLines([
      { line: 'pool:a', parts: [part], isCounted: true, perSecond: 2 },
      { line: 'pool:x', parts: [part], isCounted: true, perSecond: undefined },
      { line: 'pool:a', parts: [{ ...part, count: 5 }], isCounted: false, perSecond: 3 },
    ]);
    expect(merged).toEqual([
      { line: 'pool:a', parts: [part, { ...part, count: 5 }], isCounted: false, perSecond: 3 },
      { line: 'pool:x', parts: [part], isCounted: true, perSecond: undefined },
    ]);
  });
});
