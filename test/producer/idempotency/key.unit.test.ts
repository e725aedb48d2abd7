import { describe, expect, it } from 'vitest';
import { readKeyHeader } from '../../../producer/idempotency/key.ts';

describe('the header Idempotency-Key', () => {
  it.each([
    ['order-77', 'order-77'],
    ['"order-77"', 'order-77'],
    ['  "order-77" ', 'order-77'],
    ['"with \\"quotes\\" and \\\\"', 'with "quotes" and \\'],
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['a'.repeat(255), 'a'.repeat(255)],
  ])('%s is the key %s', (header, key) => {
    expect(readKeyHeader(header)).toEqual({ ok: true, key });
  });

  it.each(['', '""', '"open', '"a"b"', '"bad \\escape"', 'ä', 'a'.repeat(256), `"${'a'.repeat(256)}"`])(
    '%s is refused',
    (header) => {
      expect(readKeyHeader(header)).toMatchObject({ ok: false, reason: expect.any(String) });
    },
  );

  it('that is absent is no key', () => {
    expect(readKeyHeader(undefined)).toEqual({ ok: true, key: undefined });
  });
});
