import { expect, it } from 'vitest';
import { FinishedTasks } from '../../../producer/watch/finished-tasks.ts';

const NOW = 1_000_000;

it('finds what was kept, until it is a minute old', () => {
  const finished = new FinishedTasks();
  const task = { subject: 'alice', service: 'ocr', json: '{}' };
  finished.keep('a', task, NOW);
  expect(finished.find('a', NOW + 59_999)).toBe(task);
  expect(finished.find('a', NOW + 60_000)).toBeUndefined();
  expect(finished.find('b', NOW)).toBeUndefined();
});

it('drops the oldest entries when there are too many', () => {
  const finished = new FinishedTasks();
  for (let index = 0; index <= 10_000; index++)
    finished.keep(`t${index}`, { subject: 'a', service: 'ocr', json: '{}' }, NOW);
  expect(finished.find('t0', NOW)).toBeUndefined();
  expect(finished.find('t1', NOW)).toBeDefined();
  expect(finished.find('t10000', NOW)).toBeDefined();
});

it('drops the oldest entries when they are too large together', () => {
  const finished = new FinishedTasks();
  const json = 'x'.repeat(6_000_000);
  for (const id of ['a', 'b', 'b', 'b', 'c']) finished.keep(id, { subject: 'a', service: 'ocr', json }, NOW);
  expect(['a', 'b', 'c'].map((id) => finished.find(id, NOW) !== undefined)).toEqual([false, true, true]);
});
