import { describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import {
  isTaskIdOf,
  MAX_STORES,
  mintTaskId,
  smallestTaskIdAt,
  storeOfTask,
  TASK_ID_PATTERN,
  taskCreatedAt,
  traceIdOf,
} from '../../../shared/task/id.ts';

const NOW = Date.UTC(2026, 10, 20, 12, 34, 56, 789);
const SECRET = 'secret-of-these-tests-32-bytes-long';
const OTHER_SECRET = 'another-secret-of-these-tests-32-bytes';
const key = await importMacKey(SECRET);

describe('task ids', () => {
  it('are tsk_ and 32 characters without i, l, o and u', async () => {
    for (let count = 0; count < 50; count++) {
      expect(await mintTaskId(key, 'alice', NOW, 0)).toMatch(/^tsk_[0-9a-hjkmnp-tv-z]{32}$/);
    }
  });

  it('carry the number of their store, whatever the time', async () => {
    for (let store = 0; store < MAX_STORES; store++) {
      const id = await mintTaskId(key, 'alice', NOW + store * 7_919, store);
      expect(storeOfTask(id)).toBe(store);
      expect(taskCreatedAt(id)).toBe(NOW + store * 7_919);
      expect(await isTaskIdOf(key, id, 'alice')).toBe(true);
    }
  });

  it('carry their creation time', async () => {
    for (const time of [0, 1, NOW, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1]) {
      expect(taskCreatedAt(await mintTaskId(key, 'alice', time, 0))).toBe(time);
    }
  });

  it('sort by time', async () => {
    const times = [NOW, NOW + 1, NOW + 255, NOW + 256, NOW + 65_536, NOW + 86_400_000, NOW + 2 ** 33];
    const ids = await Promise.all(times.map((time) => mintTaskId(key, 'alice', time, 0)));
    expect([...ids].sort()).toEqual(ids);
  });

  it('lie between the bounds of their millisecond', async () => {
    const id = await mintTaskId(key, 'alice', NOW, 0);
    expect(smallestTaskIdAt(NOW) <= id).toBe(true);
    expect(id < smallestTaskIdAt(NOW + 1)).toBe(true);
    expect(smallestTaskIdAt(NOW)).toMatch(TASK_ID_PATTERN);
  });

  it('differ, minted in one millisecond', async () => {
    const ids = await Promise.all(Array.from({ length: 500 }, () => mintTaskId(key, 'alice', NOW, 0)));
    expect(new Set(ids).size).toBe(500);
  });

  it('give a trace id of 16 bytes, the same each time', async () => {
    const id = await mintTaskId(key, 'alice', NOW, 0);
    expect(traceIdOf(id)).toMatch(/^[0-9a-f]{32}$/);
    expect(traceIdOf(id)).toBe(traceIdOf(id));
    expect(traceIdOf('tsk_06fkcm2m9g0123456789abcdefghjkmn')).toBe('019f3650544c00110c8531d0952d8d73');
  });
});

describe('isTaskIdOf', () => {
  it('knows its own ids', async () => {
    for (const subject of ['alice', '', 'ünïcödé', 'x'.repeat(1000)]) {
      expect(await isTaskIdOf(key, await mintTaskId(key, subject, NOW, 0), subject)).toBe(true);
    }
  });

  it('refuses the id of another owner, and of another deployment', async () => {
    const id = await mintTaskId(key, 'alice', NOW, 0);
    expect(await isTaskIdOf(key, id, 'bob')).toBe(false);
    expect(await isTaskIdOf(key, id, 'alic')).toBe(false);
    expect(await isTaskIdOf(await importMacKey(OTHER_SECRET), id, 'alice')).toBe(false);
  });

  it('refuses an id with any character changed', async () => {
    const id = await mintTaskId(key, 'alice', NOW, 0);
    for (let at = 4; at < id.length; at++) {
      const forged = `${id.slice(0, at)}${id[at] === '0' ? '1' : '0'}${id.slice(at + 1)}`;
      expect(await isTaskIdOf(key, forged, 'alice'), `character ${at}`).toBe(false);
    }
  });

  it('refuses what is no id', async () => {
    const id = await mintTaskId(key, 'alice', NOW, 0);
    for (const text of ['', 'tsk_', id.slice(0, -1), `${id}0`, id.toUpperCase(), ` ${id}`, `${id}\n`, id.slice(4)]) {
      expect(await isTaskIdOf(key, text, 'alice'), JSON.stringify(text)).toBe(false);
    }
  });

  it('accepts ids of the previous secret during a rotation, and mints with the current one', async () => {
    const old = await mintTaskId(key, 'alice', NOW, 0);
    const rotated = await importMacKey(OTHER_SECRET, SECRET);
    expect(await isTaskIdOf(rotated, old, 'alice')).toBe(true);
    const fresh = await mintTaskId(rotated, 'alice', NOW, 0);
    expect(await isTaskIdOf(rotated, fresh, 'alice')).toBe(true);
    expect(await isTaskIdOf(key, fresh, 'alice')).toBe(false);
  });
});
