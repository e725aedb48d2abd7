import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { askSize } from '../../../shared/store/store-size.ts';
import { Gauge, watchedDatabase } from '../../../shared/store/watched-database.ts';

function watched(db: D1Database = env.DB) {
  const gauge = new Gauge();
  return { gauge, db: watchedDatabase(db, gauge) };
}

const insert = `INSERT INTO scans (name, position) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET position = ?2`;

describe('a watched database', () => {
  it('tells its size with every kind of answer', async () => {
    const asks: ((db: D1Database) => Promise<unknown>)[] = [
      askSize,
      (db) => db.prepare('SELECT name FROM scans').all(),
      (db) => db.prepare('SELECT count(*) AS n FROM scans').first('n'),
      (db) => db.batch([db.prepare('SELECT 1'), db.prepare(insert).bind('a', 'b')]),
    ];
    for (const ask of asks) {
      const { gauge, db } = watched();
      expect(gauge.sizeBytes).toBeUndefined();
      await ask(db);
      expect(gauge.sizeBytes).toBeGreaterThan(4096);
      expect(gauge).toMatchObject({ isAway: false, answeredAt: expect.any(Number) });
    }
  });

  it('grows with what is stored and shrinks with what is deleted', async () => {
    const { gauge, db } = watched();
    await askSize(db);
    const before = gauge.sizeBytes ?? 0;
    await db.prepare(insert).bind('large', 'x'.repeat(500_000)).run();
    expect((gauge.sizeBytes ?? 0) - before).toBeGreaterThan(490_000);
    await db.prepare(`DELETE FROM scans WHERE name = 'large'`).run();
    expect(gauge.sizeBytes).toBeLessThan(before + 20_000);
  });

  it('answers as D1 does', async () => {
    const { db } = watched();
    await db.prepare(insert).bind('x', 'y').run();
    expect(await db.prepare('SELECT * FROM scans WHERE name = ?1').bind('x').first()).toEqual({
      name: 'x',
      position: 'y',
    });
    expect(await db.prepare('SELECT * FROM scans WHERE name = ?1').bind('x').first('position')).toBe('y');
    expect(await db.prepare('SELECT * FROM scans WHERE name = ?1').bind('none').first()).toBeNull();
  });

  it('is away from a failure to the next answer; a statement that is refused is an answer', async () => {
    let isUp = false;
    const flaky = new Proxy(env.DB, {
      get: (target, name) => {
        if (!isUp) throw new Error('D1_ERROR: Network connection lost.');
        const member = Reflect.get(target, name) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const { gauge, db } = watched(flaky);
    await expect(async () => askSize(db)).rejects.toThrow('connection lost');
    expect(gauge.isAway).toBe(true);
    isUp = true;
    await expect(db.prepare('INSERT INTO scans (name) VALUES (NULL)').run()).rejects.toThrow('constraint');
    expect(gauge.isAway).toBe(false);
  });
});
