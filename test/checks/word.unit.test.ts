import { describe, expect, it } from 'vitest';
import { leftOverKept, problemOfName, problemsOfProse, wordsOf } from '../../checks/word.ts';

const RETIRED = [
  { not: 'key case', but: 'ConsumerKeys' },
  { not: 'nap', but: 'sleep' },
  { not: 'Held', but: 'Acquired' },
];

const problem = (name: string) => problemOfName(name, RETIRED, []);

describe('A name', () => {
  it.each(['keyCase', 'KeyCase', 'KEY_CASE', 'key-case', '_key_case', 'key-case.ts'])('%s is two words', (name) => {
    expect(wordsOf(name).slice(0, 2)).toEqual(['key', 'case']);
  });

  it('with letters in capitals keeps them together', () => {
    expect(wordsOf('HTTPServer2ForURL')).toEqual(['http', 'server', 'for', 'url']);
  });

  it.each(['keyCase', 'newKeyCase', 'nap', 'shortNap', 'nap.ts', 'Held'])('%s is refused', (name) => {
    expect(problem(name)).toMatch(/is retired; say/);
  });

  it.each(['snapshot', 'key', 'caseKey', 'keyInCase', 'held', 'isHeld', 'HeldBack'])(
    '%s is none of the retired',
    (name) => {
      expect(problem(name)).toBeUndefined();
    },
  );

  it('that is retired is told with the one in its place', () => {
    expect(problem('takeNap')).toBe('takeNap: "nap" is retired; say sleep');
  });
});

describe('A name that is kept', () => {
  const kept = [{ name: 'nap_ms', reason: 'a column' }];

  it('is let through as it is written, and no other', () => {
    expect(problemOfName('nap_ms', RETIRED, kept)).toBeUndefined();
    expect(problemOfName('napMs', RETIRED, kept)).toBeDefined();
  });

  it('and is used no more is left over', () => {
    expect(leftOverKept(new Set(['nap_ms']), kept)).toEqual([]);
    expect(leftOverKept(new Set(['other']), kept)).toHaveLength(1);
  });
});

describe('A comment or page', () => {
  it('is refused by the line in which a retired word stands, in whatever case; the name of a column is not one', () => {
    expect(problemsOfProse('fine\n# Nap, and a napkin\nnap_ms', RETIRED)).toEqual([
      { line: 1, problem: '"nap" is retired; say sleep' },
    ]);
  });
});
