import { describe, expect, it } from 'vitest';
import { readReportToken, tokenForBackend } from '../../../shared/key/report-token.ts';

const TOKEN = `1.${'ab'.repeat(24)}`;

describe("a backend's token", () => {
  it('says who holds the secrets of the call, and is the token itself without any', () => {
    expect(tokenForBackend(TOKEN, undefined)).toBe(TOKEN);
    expect(readReportToken(TOKEN)).toEqual({ token: TOKEN });
    for (const holder of [
      { shard: 0, service: 'ocr', key: '3' },
      { shard: 12, service: 'a-b-c', key: 'gemini_pro-3' },
      { shard: 3, service: 'constructor' },
    ]) {
      expect(readReportToken(tokenForBackend(TOKEN, holder))).toEqual({ token: TOKEN, holder });
    }
  });

  it.each(['~', '~x.ocr', '~0.', '~0.OCR', '~0.ocr.3.4', '~-1.ocr', '~0.__proto__', '~1e3.ocr'])(
    'followed by %s is not one',
    (more) => {
      expect(readReportToken(TOKEN + more)).toEqual({ token: TOKEN + more });
    },
  );
});
