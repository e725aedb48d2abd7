import { describe, expect, it } from 'vitest';
import { JsonText, parseJson, stringifyJson } from '../../../producer/json/json-text.ts';

const SPELLINGS = [
  '1e400',
  '9007199254740993',
  '1.0',
  '-0',
  '{"b":1,"a":2}',
  '{"a":1,"a":2}',
  '{ "a" : [ 1 ,2 ] }',
  '"\\u0061\\/"',
  '{"__proto__":{"x":1}}',
  'null',
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
];

function parsed(text: string, ...verbatim: string[][]): unknown {
  const result = parseJson(text, verbatim);
  if (!result.ok) throw new Error(result.fault);
  return result.value;
}

describe('a value that goes through', () => {
  it.each(SPELLINGS)('keeps its spelling: %j', (spelling) => {
    const value = parsed(`{"service":"echo","payload": ${spelling} ,"labels":{"payload":"x"}}`, ['payload']);
    expect(value).toEqual({ service: 'echo', payload: new JsonText(spelling), labels: { payload: 'x' } });
    expect(stringifyJson({ id: 1, result: new JsonText(spelling) }, [['result']])).toBe(
      `{"id":1,"result":${spelling}}`,
    );
  });

  it('is found in each element of an array', () => {
    const value = parsed('{"tasks":[{"payload":1.0},{"payload":[2.0]},3,{"other":4}]}', ['tasks', '*', 'payload']);
    expect(value).toEqual({
      tasks: [{ payload: new JsonText('1.0') }, { payload: new JsonText('[2.0]') }, 3, { other: 4 }],
    });
  });

  it('is the last of several of one name, as for every other member', () => {
    expect(parsed('{"payload":1.0,"payload":2.0}', ['payload'])).toEqual({ payload: new JsonText('2.0') });
  });

  it('leaves documents of another shape alone', () => {
    for (const text of ['[1]', '"payload"', 'null', '{"tasks":{"0":{"payload":1}}}']) {
      expect(parsed(text, ['payload'], ['tasks', '*', 'payload'])).toEqual(JSON.parse(text));
    }
  });
});

describe('writing', () => {
  it('is as JSON has it for everything else', () => {
    const value = { a: [1, undefined, 'ä"'], b: undefined, c: { d: null, e: true }, f: [] };
    expect(stringifyJson(value, [])).toBe(JSON.stringify(value));
    expect(stringifyJson(value, [['a', '*'], ['c', 'd'], ['g']])).toBe(
      '{"f":[],"a":[1,null,"ä\\""],"c":{"e":true,"d":null}}',
    );
  });

  it('puts what keeps its spelling behind the rest, however deep it lies', () => {
    const text = new JsonText('1.0');
    const value = { a: text, b: 1, c: { d: text }, e: [2, text, undefined], f: undefined };
    expect(stringifyJson(value, [['a'], ['c', 'd'], ['e', '*']])).toBe(
      '{"b":1,"a":1.0,"c":{"d":1.0},"e":[2,1.0,null]}',
    );
    expect(stringifyJson({ a: text }, [['a']])).toBe('{"a":1.0}');
  });

  it('does not quote a text that stands elsewhere', () => {
    expect(() => stringifyJson({ a: new JsonText('1.0') }, [['b']])).toThrow('where none is written verbatim');
  });
});

describe('the fault of a body that is not JSON', () => {
  const faultOf = (text: string) => {
    const result = parseJson(text);
    return result.ok ? undefined : result.fault;
  };

  it('names line and column', () => {
    expect(faultOf('{\n"a":')).toContain('line 2, column 5');
    expect(faultOf('{"payload":\n  NaN}')).toBe(
      'The body is not valid JSON: it breaks with NaN, which JSON does not know, at line 2, column 3.',
    );
    expect(faultOf('  ')).toContain('empty');
  });

  it('shows nothing of what was sent', () => {
    expect(faultOf('{"password": hunter2}')).not.toContain('hunter2');
  });
});
