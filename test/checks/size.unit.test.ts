import { describe, expect, it } from 'vitest';
import { linesByRoom, MAX_LINES, sizeProblems } from '../../checks/size.ts';

const long = { file: 'shared/task/long.ts', lines: MAX_LINES + 1 };

describe('A file', () => {
  it('of the most lines is let through, one of more is refused by its name', () => {
    expect(sizeProblems([{ ...long, lines: MAX_LINES }])).toEqual([]);
    expect(sizeProblems([long])).toEqual([expect.stringContaining('shared/task/long.ts has 401 lines')]);
  });
});

describe('The lines of a room', () => {
  it('are those of all files below its folder; files at the root are a room of their own', () => {
    const files = ['a/b/c.ts', 'a/d.ts', 'e.mts'].map((file, index) => ({ file, lines: 10 ** index }));
    expect([...linesByRoom(files)]).toEqual([
      ['a/', 11],
      ['root', 100],
    ]);
  });
});
