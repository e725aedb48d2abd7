import { describe, expect, it } from 'vitest';
import { nestsDeeperThan, syntaxFault } from '../../producer/json-text.ts';

describe('the depth of JSON text', () => {
  it.each([
    ['a flat value', '1', 0],
    ['an object in an array', '[{"a":1}]', 2],
    ['siblings', '[[],[],[[]]]', 3],
  ])('counts %s', (_, text, depth) => {
    expect(nestsDeeperThan(text, depth)).toBe(false);
    if (depth > 0) expect(nestsDeeperThan(text, depth - 1)).toBe(true);
  });

  it('takes brackets inside strings for text, escaped quotes included', () => {
    expect(nestsDeeperThan('{"a":"[[[[\\"[[[[","[[[":"\\\\"}', 1)).toBe(false);
  });

  it('survives a million open brackets', () => {
    expect(nestsDeeperThan('['.repeat(1_000_000), 64)).toBe(true);
  });

  it('ends at a string that never closes', () => {
    expect(nestsDeeperThan('["[[[', 1)).toBe(false);
    expect(nestsDeeperThan('["\\', 1)).toBe(false);
  });
});

describe('the fault in JSON text', () => {
  it('is absent in good text', () => {
    expect(syntaxFault('{"a":[1,2]}')).toBeUndefined();
  });

  it('says where text ends too soon', () => {
    expect(syntaxFault('{\n"a":')).toContain('line 2, column 5');
  });

  it('says that nothing came', () => {
    expect(syntaxFault('  ')).toContain('empty');
  });

  it('shows nothing of the body', () => {
    expect(syntaxFault('{"password": hunter2}')).not.toContain('hunter2');
  });
});
