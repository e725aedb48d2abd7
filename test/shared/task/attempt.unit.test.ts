import { expect, it } from 'vitest';
import { shorten } from '../../../shared/task/attempt.ts';

it('cuts a long text to its length, and leaves a short one alone', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdefg', 6)).toBe('abcde…');
});

it('never leaves half of a character that takes two units', () => {
  for (let length = 1; length < 12; length++) {
    const text = shorten(`a${'😀'.repeat(20)}`, length);
    expect(text.isWellFormed(), text).toBe(true);
    expect(text.length).toBeLessThanOrEqual(length);
  }
});
