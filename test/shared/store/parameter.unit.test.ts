import { describe, expect, it } from 'vitest';
import { jsonParameters } from '../../../shared/store/parameter.ts';

/** What D1 takes as one parameter. */
const D1_BYTES = 2_000_000;
const bytesOf = (text: string) => new TextEncoder().encode(text).length;

describe('jsonParameters', () => {
  it('is one array for rows that fit, and nothing for no rows', () => {
    expect(jsonParameters([{ a: 1 }, 'b', null])).toEqual(['[{"a":1},"b",null]']);
    expect(jsonParameters([])).toEqual([]);
  });

  it('splits at a million bytes and keeps every row, in order', () => {
    const rows = Array.from({ length: 100 }, (_, index) => ({ index, text: 'x'.repeat(64 * 1024) }));
    const parameters = jsonParameters(rows);
    expect(parameters.flatMap((parameter) => JSON.parse(parameter))).toEqual(rows);
    for (const parameter of parameters) expect(bytesOf(parameter)).toBeLessThanOrEqual(1_000_002);
    expect(parameters.length).toBeLessThan(10);
  });

  it('counts bytes, not characters: a batch of long Chinese texts stays below the limit of D1', () => {
    const rows = Array.from({ length: 100 }, () => ({ text: '漢'.repeat(21_000) }));
    for (const parameter of jsonParameters(rows)) expect(bytesOf(parameter)).toBeLessThanOrEqual(D1_BYTES);
  });

  it('gives a row of its own to what is larger', () => {
    const rows = ['a', 'x'.repeat(1_500_000), 'b'];
    expect(jsonParameters(rows).map((parameter) => JSON.parse(parameter).length)).toEqual([1, 1, 1]);
  });
});
