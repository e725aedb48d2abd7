import { expect, it } from 'vitest';
import { methodsOf } from '../../../producer/edge/methods.ts';

const ROUTES = [
  { method: 'ALL', path: '/*' },
  { method: 'GET', path: '/api/task/:id' },
  { method: 'PUT', path: '/api/task/:id' },
  { method: 'POST', path: '/api/task/:id/cancel' },
];

it('collects the methods of every route with this path', () => {
  expect(methodsOf(ROUTES, '/api/task/tsk_1')).toEqual(['GET', 'HEAD', 'OPTIONS', 'PUT']);
  expect(methodsOf(ROUTES, '/api/task/tsk_1/cancel')).toEqual(['OPTIONS', 'POST']);
});

it.each(['/api/task', '/api/task/', '/api/task/a/b', '/'])('knows no method of %s', (path) => {
  expect(methodsOf(ROUTES, path)).toEqual([]);
});
