import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { RegistryStorage } from '../../../callback/registry/storage.ts';

const inStorage = <Value>(name: string, act: (sql: SqlStorage) => Value) =>
  runInDurableObject(env.SERVER_REGISTRY.getByName(name), (_instance, { storage }) => act(storage.sql));

describe('a snapshot', () => {
  it('that is larger than a row lies in several, and comes back whole, whatever it is written in', async () => {
    // The first part would end within a character.
    const large = `x${'😀'.repeat(700_000)}`;
    await inStorage('large snapshot', (sql) => {
      new RegistryStorage(sql).write('servers', large);
      new RegistryStorage(sql).write('services', 'small');
      expect(new RegistryStorage(sql).read('servers')).toBe(large);
      expect(new RegistryStorage(sql).read('services')).toBe('small');
      new RegistryStorage(sql).write('servers', 'now small');
      expect(new RegistryStorage(sql).read('servers')).toBe('now small');
      expect(sql.exec('SELECT count(*) AS rows FROM snapshot').one()).toEqual({ rows: 2 });
    });
  });

  it('is written only where it changed', async () => {
    const large = 'a'.repeat(1_200_000);
    await inStorage('changed snapshot', (sql) => {
      const storage = new RegistryStorage(sql);
      storage.write('servers', large);
      const before = sql.exec('SELECT total_changes() AS count').one().count as number;
      storage.write('servers', large);
      storage.write('servers', `${large.slice(0, -1)}b`);
      expect(sql.exec('SELECT total_changes() AS count').one().count).toBe(before + 1);
    });
  });

  it('that was never written is not there', async () => {
    await inStorage('no snapshot', (sql) => expect(new RegistryStorage(sql).read('servers')).toBeUndefined());
  });
});
