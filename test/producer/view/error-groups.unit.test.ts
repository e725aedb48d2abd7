import { expect, it } from 'vitest';
import { groupErrors } from '../../../producer/view/error-groups.ts';

const failure = (id: string, message: string, service = 'llm') => ({
  id,
  service,
  status: 'failed' as const,
  error: JSON.stringify({ class: 'http', httpStatus: 422, message }),
  finished_at: 1_000,
});

it('errors that differ in numbers and ids only are one group, the newest is its example', () => {
  const groups = groupErrors([
    failure('c', 'page 17 of 8e03978e-40d5-43dd-bc93-6894a57f9324 is not readable'),
    failure('b', 'page 3 of 11111111-40d5-43dd-bc93-6894a57f9324 is not readable', 'ocr'),
    failure('a', 'no such model'),
  ]);
  expect(groups).toMatchObject([
    { count: 2, message: 'page # of # is not readable', services: ['llm', 'ocr'], latest: { id: 'c' } },
    { count: 1, message: 'no such model' },
  ]);
});

it('a task whose error cannot be read is in no group', () => {
  expect(
    groupErrors([
      { ...failure('a', ''), error: '{' },
      { ...failure('b', ''), error: null },
    ]),
  ).toEqual([]);
});
