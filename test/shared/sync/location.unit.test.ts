import { describe, expect, it } from 'vitest';
import { locationForClient } from '../../../shared/sync/location.ts';

const BASE = 'https://ocr.example.com/base';
const lead = (location: string, base = BASE) => locationForClient(location, `${base}/v1/read?x=1`, base, 'ocr');

describe('a redirect of a backend', () => {
  it('leads below the service when it stays there', () => {
    expect(lead('/base/v2/read?y=2#part')).toBe('/api/service/ocr/v2/read?y=2#part');
    expect(lead('other')).toBe('/api/service/ocr/v1/other');
    expect(lead('https://ocr.example.com/base/v2')).toBe('/api/service/ocr/v2');
    expect(lead('/anything', 'https://ocr.example.com')).toBe('/api/service/ocr/anything');
  });

  it('is not told when it leads anywhere else', () => {
    for (const location of [
      '/api/services/ocr/pause',
      '/based/v2',
      '../../api/tasks',
      'https://elsewhere.example/base/v2',
      '//elsewhere.example/base/v2',
      'http://ocr.example.com/base/v2',
      'javascript:alert(1)',
    ]) {
      expect(lead(location), location).toBeUndefined();
    }
  });
});
