import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { closeGroup, createGroup, readGroup } from '../../../shared/store/groups.ts';
import { mintTaskId } from '../../../shared/task/id.ts';
import { TERMINAL_STATUSES } from '../../../shared/task/status.ts';

const NOW = Date.UTC(2026, 10, 20);
const GROUP = { subject: 'alice', name: 'night-7' };
const key = await importMacKey(env.ID_SECRET);

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare('DELETE FROM tasks'), env.DB.prepare('DELETE FROM groups')]);
  await createGroup(env.DB, GROUP, 'tsk_message', NOW);
});

async function plantTask(): Promise<string> {
  const id = await mintTaskId(key, GROUP.subject, NOW, 0);
  await env.DB.prepare(
    `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, group_name)
     VALUES (?1, ?2, 'echo', 'queued', 3, 2, 60, ?3, ?4)`,
  )
    .bind(id, GROUP.subject, NOW + 60_000, GROUP.name)
    .run();
  return id;
}

describe('a group counts each way to end by itself', () => {
  it.each(TERMINAL_STATUSES)('%s', async (status) => {
    const ids = [await plantTask(), await plantTask()];
    await closeGroup(env.DB, GROUP, false, NOW + 1);
    const none = Object.fromEntries(TERMINAL_STATUSES.map((each) => [each, 0]));
    expect(await readGroup(env.DB, GROUP)).toMatchObject({ ...none, total: 2, ended_at: null });
    for (const [index, id] of ids.entries()) {
      await env.DB.prepare('UPDATE tasks SET status = ?2, finished_at = ?3 WHERE id = ?1')
        .bind(id, status, NOW + 2 + index)
        .run();
      const endedAt = index === 0 ? null : NOW + 3;
      expect(await readGroup(env.DB, GROUP)).toMatchObject({ ...none, [status]: index + 1, ended_at: endedAt });
    }
  });
});
