import { describe, expect, it } from 'vitest';
import { isUnpackedOnReading, opaquePackingOf } from '../../../shared/sync/packing.ts';

const said = (encoding?: string) => new Headers(encoding === undefined ? {} : { 'content-encoding': encoding });

describe('how an answer is packed', () => {
  it.each([undefined, '', 'identity', 'Identity', 'gzip', 'br', ' gzip ', 'identity, identity'])(
    '%s can be looked into',
    (encoding) => {
      expect(opaquePackingOf(said(encoding))).toBeUndefined();
    },
  );

  it.each([
    'GZIP',
    'x-gzip',
    'BR',
    'deflate',
    'zstd',
    'compress',
    'gzip, gzip',
    'gzip,',
    'identity, gzip',
    'dcb',
    'aws-chunked',
  ])('%s cannot, and is named', (encoding) => {
    expect(opaquePackingOf(said(encoding))).toBe(encoding);
  });

  it('is undone by the runtime where it is said in its own words', () => {
    expect(
      [undefined, 'gzip', 'br', 'GZIP', 'identity', 'gzip, br'].map((each) => isUnpackedOnReading(said(each))),
    ).toEqual([false, true, true, false, false, false]);
  });
});
