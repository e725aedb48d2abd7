/** What the bucket holds and what rows lead to, against the real bucket and database. */
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CallbackEnv } from '../../../callback/env.ts';
import { sweepOrphans } from '../../../callback/sweep/orphans.ts';
import { forgetOld } from '../../../callback/sweep/retention.ts';
import { newResultKey, payloadKey, takenKey, uploadIdFrom, uploadKey } from '../../../shared/bodies/object-key.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { storesIn } from '../../../shared/store/stores.ts';
import type { TaskRequest } from '../../../shared/task/request.ts';
import { aTask, idFor } from '../../producer/client.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const bucket = (env as unknown as { BODIES: R2Bucket }).BODIES;
const stores = storesIn({ TASK_DB_0: env.DB });
const here = { bodies: bucket, stores, retentionMs: 30 * DAY_MS } as unknown as CallbackEnv;

beforeEach(async () => {
  await bucket.delete(await keys());
  await env.DB.prepare('DELETE FROM tasks').run();
  await env.DB.prepare('DELETE FROM scans').run();
});

async function keys(): Promise<string[]> {
  return (await bucket.list()).objects.map(({ key }) => key);
}

const sweepAfter = (ms: number) => sweepOrphans(here, Date.now() + ms);

async function recorded(request: TaskRequest = {}): Promise<string> {
  const id = await idFor('alice');
  await recordAccepted(env.DB, [aTask(id, 'alice', { request })], undefined);
  return id;
}

const stored = (key: string) => ({ key, type: 'text/plain', bytes: 1, etag: 'e' });

async function end(id: string, resultKey?: string): Promise<void> {
  await env.DB.prepare(`UPDATE tasks SET status = 'succeeded', finished_at = ?2, result_stored = ?3 WHERE id = ?1`)
    .bind(id, Date.now(), resultKey === undefined ? null : JSON.stringify(stored(resultKey)))
    .run();
}

describe('an object in the bucket', () => {
  it('that a row leads to stays, whatever its age', async () => {
    const id = await idFor('alice');
    const result = newResultKey(id);
    const request = { storedBody: stored(payloadKey(id)) };
    await recordAccepted(env.DB, [aTask(id, 'alice', { request })], undefined);
    await end(id, result);
    await bucket.put(payloadKey(id), 'p');
    await bucket.put(result, 'r');
    expect(await sweepAfter(20 * DAY_MS)).toBe(0);
    expect(await keys()).toHaveLength(2);
  });

  it('of an acceptance that a crash cut short goes after an hour', async () => {
    await bucket.put(payloadKey(await idFor('alice')), 'p');
    expect(await sweepAfter(HOUR_MS / 2)).toBe(0);
    expect(await sweepAfter(2 * HOUR_MS)).toBe(1);
    expect(await keys()).toEqual([]);
  });

  it('that is a result which came too late goes once the task has ended, not before', async () => {
    const id = await recorded();
    const [late, counts] = [newResultKey(id), newResultKey(id)];
    await bucket.put(late, 'r');
    await bucket.put(counts, 'r');
    expect(await sweepAfter(2 * HOUR_MS)).toBe(0);
    await end(id, counts);
    expect(await sweepAfter(4 * HOUR_MS)).toBe(1);
    expect(await keys()).toEqual([counts]);
  });

  it('that was uploaded and not submitted goes after a day; what a task took stays as long as the task’s bodies', async () => {
    const [left, taken] = [uploadIdFrom(await idFor('alice')), uploadIdFrom(await idFor('alice'))];
    const id = await recorded({ storedBody: stored(uploadKey(taken)) });
    await bucket.put(uploadKey(left), 'p');
    await bucket.put(uploadKey(taken), 'p');
    await bucket.put(takenKey(taken), '', { customMetadata: { task: id } });
    expect(await sweepAfter(20 * HOUR_MS)).toBe(0);
    expect(await sweepAfter(26 * HOUR_MS)).toBe(1);
    expect(await keys()).toEqual([uploadKey(taken), takenKey(taken)]);
    await env.DB.prepare('DELETE FROM tasks WHERE id = ?').bind(id).run();
    expect(await sweepAfter(28 * HOUR_MS)).toBe(2);
    expect(await keys()).toEqual([]);
  });

  it('of another name is left alone', async () => {
    await bucket.put('backup.tar', 'not ours');
    expect(await sweepAfter(90 * DAY_MS)).toBe(0);
    expect(await keys()).toEqual(['backup.tar']);
  });

  it('of a store that is not bound is left until its row would be gone', async () => {
    await bucket.put(payloadKey(await idFor('alice', Date.now(), 7)), 'p');
    expect(await sweepAfter(2 * DAY_MS)).toBe(0);
    expect(await sweepAfter(31 * DAY_MS)).toBe(1);
  });

  it('is looked at once an hour', async () => {
    expect(await sweepAfter(0)).toBe(0);
    await bucket.put(payloadKey(await idFor('alice')), 'p');
    await env.DB.prepare(`UPDATE scans SET position = ?`)
      .bind(`~${Date.now() + 3 * HOUR_MS}`)
      .run();
    expect(await sweepAfter(2 * HOUR_MS)).toBe(0);
    expect(await sweepAfter(4 * HOUR_MS)).toBe(1);
  });
});

describe('when the bodies of a task go, or its row', () => {
  it.each([
    ['bodies', { retentionMs: 30 * DAY_MS, bodyRetentionMs: 3 * DAY_MS }, 4],
    ['row', { retentionMs: 30 * DAY_MS, bodyRetentionMs: 60 * DAY_MS }, 31],
  ])('its objects go with its %s', async (_, lives, days) => {
    const upload = uploadIdFrom(await idFor('alice'));
    const old = await recorded({ storedBody: stored(uploadKey(upload)) });
    const result = newResultKey(old);
    await end(old, result);
    const open = await idFor('alice');
    await recordAccepted(
      env.DB,
      [aTask(open, 'alice', { request: { storedBody: stored(payloadKey(open)) } })],
      undefined,
    );
    for (const key of [uploadKey(upload), takenKey(upload), result, payloadKey(open)]) await bucket.put(key, 'x');
    await forgetOld(env.DB, { ...lives, bodies: bucket }, Date.now() + days * DAY_MS);
    expect(await keys()).toEqual([payloadKey(open)]);
  });
});
