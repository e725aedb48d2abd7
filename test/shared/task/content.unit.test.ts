import { describe, expect, it } from 'vitest';
import { bytesFromContent, contentFromBytes } from '../../../shared/task/content.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const roundTrip = (type: string, bytes: Uint8Array) => [...bytesFromContent(contentFromBytes(type, bytes))];

describe('contentFromBytes', () => {
  it('keeps JSON as JSON, letter by letter', () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'application/problem+json',
      'Application/JSON',
    ]) {
      expect(contentFromBytes(type, encode('{"a": 1.0}'))).toEqual({ type, encoding: 'json', text: '{"a": 1.0}' });
    }
  });

  it('keeps as text what says JSON and is none', () => {
    expect(contentFromBytes('application/json', encode('{"a":'))).toMatchObject({ encoding: 'text', text: '{"a":' });
  });

  it('keeps text as text', () => {
    for (const type of ['text/plain', 'text/html; charset=utf-8', 'application/xml', 'application/atom+xml']) {
      expect(contentFromBytes(type, encode('grüße')).encoding).toBe('text');
    }
  });

  it('keeps anything else, and text that is not UTF-8, as base64', () => {
    expect(contentFromBytes('image/png', encode('abc'))).toEqual({
      type: 'image/png',
      encoding: 'base64',
      text: 'YWJj',
    });
    expect(contentFromBytes('text/plain', new Uint8Array([0xff, 0xfe])).encoding).toBe('base64');
    expect(contentFromBytes('application/jsonx', encode('{}')).encoding).toBe('base64');
  });

  it('gives back the same bytes, whatever they are', () => {
    const all = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
    expect(roundTrip('application/octet-stream', all)).toEqual([...all]);
    expect(roundTrip('text/plain', all)).toEqual([...all]);
    for (const text of ['', '\uFEFFmarked', 'a\0b', '😀', '{"k":"\\u0000"}']) {
      expect(roundTrip('text/plain', encode(text))).toEqual([...encode(text)]);
      expect(roundTrip('application/json', encode(text))).toEqual([...encode(text)]);
    }
  });
});
