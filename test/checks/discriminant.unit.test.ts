import { describe, expect, it } from 'vitest';
import { discriminantsOf } from '../../checks/discriminant.ts';

const namesIn = (source: string) => discriminantsOf('file.ts', source).map(({ name }) => name);

describe('discriminantsOf', () => {
  it('names what tells the members of a union apart, with the line of the union', () => {
    const source = `type Other = string;\n\ntype Step =\n  | { readonly is: 'new'; a: 1 }\n  | { readonly is: 'old' | 'lost' };`;
    expect(discriminantsOf('file.ts', source)).toEqual([{ line: 4, name: 'is' }]);
  });

  it('follows interfaces, types and intersections of the same file', () => {
    const named = `interface A { type: 'a' } type B = { type: 'b' } & More; interface More { more: string }`;
    expect(namesIn(`${named} type Either = A | B;`)).toEqual(['type']);
    expect(namesIn(`${named} type Either = A | (More & { type: 'c' });`)).toEqual(['type']);
  });

  it('finds a union wherever it is written: in an answer, in a list', () => {
    expect(namesIn(`declare function ask(): Promise<{ how: 'well' } | { how: 'badly'; why: string }>;`)).toEqual([
      'how',
    ]);
  });

  it('reads the name that a schema gives', () => {
    expect(namesIn(`const Schema = z.discriminatedUnion('event', [A, B]);`)).toEqual(['event']);
  });

  it('passes over a property that one member has, words alone, and members without a text', () => {
    expect(namesIn(`type Mixed = { is: 'new' } | { was: 'old' } | undefined;`)).toEqual([]);
    expect(namesIn(`type Word = 'is' | 'was'; interface Tagged { of: 'line' | 'other' }`)).toEqual([]);
    expect(namesIn(`type Wide = { name: string } | { name: number };`)).toEqual([]);
  });
});
