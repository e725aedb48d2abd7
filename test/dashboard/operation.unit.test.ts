import { expect, it } from 'vitest';
import { call, searchOf } from '../../dashboard/operation.ts';

it('takes the place of each parameter of its path, whatever stands in it', () => {
  expect(call('GET /api/task/:id', { id: 'tsk_1' })).toEqual({
    operation: 'GET /api/task/:id',
    method: 'GET',
    address: '/api/task/tsk_1',
  });
  const key = call('POST /api/keys/:shard/:key/:action', { shard: 0, key: 'a/b?c', action: 'reset' });
  expect(key.address).toBe('/api/keys/0/a%2Fb%3Fc/reset');
});

it('says in its query what has a value, and nothing of the rest', () => {
  expect(call('GET /api/tasks', {}, { status: 'failed', service: '', ref: undefined }).address).toBe(
    '/api/tasks?status=failed',
  );
  expect(
    searchOf([
      ['label', 'customer:acme'],
      ['label', 'a b'],
    ]),
  ).toBe('?label=customer%3Aacme&label=a+b');
  expect(searchOf({})).toBe('');
});

it('does not compile without a parameter, or where no route is', () => {
  // @ts-expect-error: the id is missing
  expect(call('GET /api/task/:id', {}).address).toBe('/api/task/');
  // @ts-expect-error: no such route
  expect(call('GET /api/secrets', {}).address).toBe('/api/secrets');
});
