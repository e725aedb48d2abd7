import { expect, it } from 'vitest';
import { LongCalls } from '../../../consumer/capacity/long-calls.ts';

it('a service may be slow until some twenty of its calls were quick, and again after a few that were not', () => {
  const calls = new LongCalls();
  expect(calls.mayBeLong('ocr')).toBe(true);
  for (let call = 0; call < 25; call++) calls.note('ocr', 100);
  expect(calls.mayBeLong('ocr')).toBe(false);
  expect(calls.mayBeLong('other')).toBe(true);
  for (let call = 0; call < 2; call++) calls.note('ocr', 60_000);
  expect(calls.mayBeLong('ocr')).toBe(true);
});

it('of very many services the latest are remembered', () => {
  const calls = new LongCalls();
  for (let call = 0; call < 25; call++) {
    for (const service of ['first', 'used']) calls.note(service, 100);
  }
  for (let hook = 0; hook < 2_000; hook++) {
    calls.note(`webhook:hooks.example.com:${hook}`, 100);
    calls.note('used', 100);
  }
  expect([calls.mayBeLong('used'), calls.mayBeLong('first')]).toEqual([false, true]);
});
