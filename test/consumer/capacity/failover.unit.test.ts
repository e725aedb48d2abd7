import { expect, it } from 'vitest';
import { Failover } from '../../../consumer/capacity/failover.ts';

const servers = ['a', 'b', 'c'].map((id) => ({ id, baseUrl: `https://${id}.example.net` }));

it('each try goes to another server, round and round', () => {
  const failover = new Failover(servers);
  expect([1, 2, 3, 4].map(() => failover.next()?.id)).toEqual(['a', 'b', 'c', 'a']);
});

it('names the one called last, and those before it that were not reached', () => {
  const failover = new Failover(servers);
  expect(failover.current?.id).toBe('a');
  expect(failover.unreachableServers).toEqual([]);
  failover.next();
  expect(failover.unreachableServers).toEqual([]);
  failover.next();
  failover.next();
  expect(failover.current?.id).toBe('c');
  expect(failover.unreachableServers).toEqual(['a', 'b']);
});

it('tries the only server again', () => {
  const failover = new Failover(servers.slice(0, 1));
  failover.next();
  expect(failover.next()?.id).toBe('a');
  expect(failover.unreachableServers).toEqual([]);
});

it('has nobody to call without servers', () => {
  expect(new Failover([]).next()).toBeUndefined();
});
