import { expect, test } from 'vitest';
import { bucketOf, poolLine, refusedLine, serviceLine, targetOfLine } from '../../../shared/capacity/line.ts';

test('a line is read back as what it was written for', () => {
  expect(targetOfLine(poolLine('gemini'))).toEqual({ kind: 'pool', pool: 'gemini', bucket: undefined });
  expect(targetOfLine(poolLine('gemini', 'pro/1.5'))).toEqual({ kind: 'pool', pool: 'gemini', bucket: 'pro/1.5' });
  expect(targetOfLine(refusedLine('gemini', 'pro'))).toEqual({
    kind: 'pool',
    pool: 'gemini',
    bucket: 'pro',
    isOfRefused: true,
  });
  expect(targetOfLine(serviceLine('ocr'))).toEqual({ kind: 'service', service: 'ocr' });
  expect(targetOfLine('ocr')).toBeUndefined();
});

test('a bucket keeps a plain name, and is short and safe for any other', () => {
  expect(bucketOf('models/gemini-2.5-pro')).toBe('models/gemini-2.5-pro');
  for (const odd of ['x'.repeat(5_000), 'a b', 'a#b', '', '\u{1f600}', '__proto__']) {
    expect(bucketOf(odd)).toMatch(/^[A-Za-z0-9._:/~-]{0,64}$/);
  }
  expect(bucketOf('a b')).not.toBe(bucketOf('a_b'));
  expect(bucketOf('a b')).not.toBe(bucketOf('a#b'));
  expect(bucketOf(`${'x'.repeat(100)}1`)).not.toBe(bucketOf(`${'x'.repeat(100)}2`));
});
