import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonFault, JsonSplit } from '../../../producer/json/split.ts';

const LIMITS = { names: new Set(['payload', 'payloadBase64']), smallBytes: 10, restBytes: 1_000, maxDepth: 8 };

/** The text through a split, in pieces of so many bytes. */
function split(text: string | Uint8Array, step = 3, limits = LIMITS) {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const reader = new JsonSplit(limits);
  const taken: Record<string, string> = {};
  let name = '';
  for (let at = 0; at < bytes.length; at += step) {
    for (const event of reader.push(bytes.slice(at, at + step))) {
      if (event.kind === 'start') name = event.name;
      if (event.kind === 'piece') taken[name] = (taken[name] ?? '') + Buffer.from(event.bytes).toString('latin1');
    }
  }
  return { rest: reader.end(), taken };
}

describe('splitting a JSON object', () => {
  it.each([
    ['a text', '"0123456789 abc"'],
    ['a text with escapes', '"\\u00e4\\"\\\\ \\" }]0123456789"'],
    ['an object', '{ "a": [1, {"b": "}"}], "c": -0.5e+10 }'],
    ['an array', '[1,2,3,4,5,6,7,8]'],
    ['a number', '1234567890123.5e10'],
  ])('takes out %s that is large, in its own spelling', (_, value) => {
    for (const step of [1, 2, 3, 7, 1_000]) {
      for (const text of [`{"payload":${value}}`, `{"service":"a","payload" :\n${value} , "x":[{}]}`]) {
        const { rest, taken } = split(text, step);
        expect(taken).toEqual({ payload: value });
        expect(rest).toBe(text.replace(value, 'null'));
      }
    }
  });

  it('leaves small values, nested members of the same name, and everything else where they are', () => {
    const text = '{"payload":[1],"a":{"payload":"0123456789012345"},"b":"0123456789012345","payloadBase64":12}';
    expect(split(text)).toEqual({ rest: text, taken: {} });
  });

  it('tells what stood before a value', () => {
    const reader = new JsonSplit(LIMITS);
    const text = '{"service":"a", "group":"g","payload":"0123456789 abc","after":1}';
    const events = reader.push(new TextEncoder().encode(text.slice(0, text.indexOf(' abc'))));
    expect(events[0]).toEqual({ kind: 'start', name: 'payload' });
    expect(reader.before()).toEqual({ service: 'a', group: 'g', payload: null });
  });

  it('knows a name by what it means, however it is written', () => {
    expect(split('{"pay\\u006coad":"0123456789 abc"}').taken).toEqual({ payload: '"0123456789 abc"' });
  });

  it.each([
    ['{"payload":"0123456789 abc"', 'too soon'],
    ['{"payload":"0123456789 abc', 'too soon'],
    ['{"payload":"0123456789 abc"}}', 'after its end'],
    ['{"payload":[1,2,3,4,5,6,7,]}', 'instead of a value'],
    ['{"payload":{"a":1,"b":2,}}', 'instead of a name'],
    ['{"payload":[1 2 3 4 5 6 7]}', 'comma or an end'],
    ['{"payload":[01,2,3,4,5,6]}', 'comma or an end'],
    ['{"payload":[1.,2,3,4,5,6]}', 'number'],
    ['{"payload":[-,2,3,4,5,6]}', 'number'],
    ['{"payload":[tru,2,3,4,5,6]}', 'word'],
    ['{"payload":"0123456789\u0001"}', 'control'],
    ['{"payload":"0123456789\\x"}', 'escape'],
    ['{"payload":"0123456789\\u12x4"}', 'escape'],
    ['{"payload":[[[[[[[[[1]]]]]]]]]}', 'deeper'],
    ['{"payload":"0123456789 abc","payload":"0123456789 abc"}', 'twice'],
    [`{"other":"${'x'.repeat(1_001)}"}`, '1000 bytes'],
    ['', 'too soon'],
  ])('refuses %s', (text, why) => {
    expect(() => split(text)).toThrow(JsonFault);
    expect(() => split(text)).toThrow(why);
  });

  it('refuses what is not UTF-8', () => {
    expect(() => split(Uint8Array.from([0x22, 0xc3, 0x28, 0x22]))).toThrow('UTF-8');
    expect(() => split(Uint8Array.from([0x22, 0xc3]))).toThrow('UTF-8');
  });

  it('accepts what JSON.parse accepts, and nothing else', () => {
    const mutated = fc
      .tuple(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom('', '"', ',', '}', ']', '0', '-', '.', 'e', 't', ' ', '\\'),
      )
      .map(([json, at, sign]) => {
        const text = `{"payload":${json}}`;
        const place = at % (text.length + 1);
        return text.slice(0, place) + sign + text.slice(place + (at % 2));
      });
    fc.assert(
      fc.property(mutated, fc.integer({ min: 1, max: 9 }), (text, step) => {
        let value: unknown;
        let isJson = true;
        try {
          value = JSON.parse(text);
        } catch {
          isJson = false;
        }
        let rest: string | undefined;
        const limits = { ...LIMITS, smallBytes: 0, restBytes: 1_000_000 };
        let taken: Record<string, string> = {};
        try {
          ({ rest, taken } = split(text, step, limits));
        } catch (error) {
          if (String(error).includes('twice')) return;
          expect(error).toBeInstanceOf(JsonFault);
        }
        expect(rest !== undefined).toBe(isJson);
        if (rest === undefined || typeof value !== 'object' || value === null) return;
        const parsed = JSON.parse(rest) as Record<string, unknown>;
        for (const [name, spelling] of Object.entries(taken))
          parsed[name] = JSON.parse(Buffer.from(spelling, 'latin1').toString());
        expect(parsed).toEqual(value);
      }),
      { numRuns: 3_000 },
    );
  });
});
