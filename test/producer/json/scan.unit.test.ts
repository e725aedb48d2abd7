import { describe, expect, it } from 'vitest';
import { elementTexts, faultPosition, memberText, nestsDeeperThan } from '../../../producer/json/scan.ts';

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

/** What `JSON.parse` takes. */
const GOOD = [
  '{}',
  '[]',
  ' {"a" : [ 1 , -0 , 1.0e+400 , "x\\u0073\\"]" , {} , [] , null ] , "b":true }\n',
  '"text"',
  '-12.5E-7',
  '{"":{"":[[[[]]]]}}',
];

/** What it does not, and where it breaks. */
const BROKEN: readonly (readonly [text: string, position: number])[] = [
  ['', 0],
  ['   ', 3],
  ['{"a":NaN}', 5],
  ['{"a":Infinity}', 5],
  ['[1,]', 3],
  ['{"a":1,}', 7],
  ['{a:1}', 1],
  ['{"a" 1}', 5],
  ['[1 2]', 3],
  ['01', 1],
  ['1.', 1],
  ['+1', 0],
  ["{'a':1}", 1],
  ['"a\nb"', 2],
  ['"\\x"', 1],
  ['"\\u12g4"', 1],
  ['"open', 5],
  ['[[[', 3],
  ['{"a":{"b":[1', 12],
  ['[}', 1],
  ['{]', 1],
  ['[1}', 2],
  ['{} {}', 3],
  ['nulll', 4],
  ['\u00a01', 0],
];

describe('the place where text stops being JSON', () => {
  it.each(GOOD)('is nowhere in %j', (text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(faultPosition(text)).toBeUndefined();
  });

  it.each(BROKEN)('in %j is %i', (text, position) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(faultPosition(text)).toBe(position);
  });

  it('is found after a million open brackets, and after a long text', () => {
    expect(faultPosition('['.repeat(1_000_000))).toBe(1_000_000);
    expect(faultPosition(`["${'a'.repeat(1_000_000)}" 1]`)).toBe(1_000_004);
  });

  it('says what JSON.parse says, for every way to break a document in one place', () => {
    const whole = '{"a":[1,-2.5e3,true,null],"b\\n":{"c":"\\u00e4"}}';
    for (let at = 0; at <= whole.length; at++) {
      for (const put of ['', ',', '}', ']', '"', '1', 'x', ':', '\\', ' ']) {
        const text = whole.slice(0, at) + put + whole.slice(at + 1);
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(faultPosition(text) === undefined, text).toBe(isJson);
      }
    }
  });
});

describe('the text of members and elements', () => {
  it('is what was written, without the white space around it', () => {
    const text = ' { "a" : 1.0 , "b":[ 1,\n"]" ] ,"\\u0063":{"c":{}} , "d": "," ,"a":-0 } ';
    expect(['a', 'b', 'c', 'd', 'e'].map((name) => memberText(text, name))).toEqual([
      '-0',
      '[ 1,\n"]" ]',
      '{"c":{}}',
      '","',
      undefined,
    ]);
    expect(elementTexts('[ 1e400 ,{"a":[1,2]},"x,]" , [] ]')).toEqual(['1e400', '{"a":[1,2]}', '"x,]"', '[]']);
  });

  it('is none where there is none', () => {
    for (const text of ['{}', ' { } ', '[1]', '"a"', '1']) expect(memberText(text, 'a')).toBeUndefined();
    for (const text of ['[]', ' [ ] ', '{"a":1}', '"a"', '1']) expect(elementTexts(text)).toEqual([]);
  });

  it('keeps names that objects have by nature', () => {
    const text = '{"__proto__":1,"constructor":2}';
    expect([memberText(text, '__proto__'), memberText(text, 'constructor')]).toEqual(['1', '2']);
    expect(memberText('{}', 'constructor')).toBeUndefined();
  });
});
