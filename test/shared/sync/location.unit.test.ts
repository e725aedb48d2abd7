import { describe, expect, it } from 'vitest';
import { locationForClient, valueForClient } from '../../../shared/sync/location.ts';

const BASE = 'https://ocr.example.com/base';
const asked = (base = BASE) => ({
  url: `${base}/v1/read?x=1`,
  baseUrl: base,
  service: 'ocr',
  publicUrl: 'https://tasks.example.com',
});
const lead = (location: string, base = BASE) => locationForClient(location, asked(base));

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

describe('an address of the backend in another header', () => {
  const tell = (name: string, value: string) => valueForClient(name, value, asked());

  it('leads below the service, as absolute as it was', () => {
    expect(tell('x-goog-upload-url', 'https://ocr.example.com/base/upload?upload_id=1')).toBe(
      'https://tasks.example.com/api/service/ocr/upload?upload_id=1',
    );
    expect(tell('operation-location', '/base/operations/7')).toBe('/api/service/ocr/operations/7');
  });

  it('is not told when it leads past the service', () => {
    for (const value of [
      'https://ocr.example.com/admin',
      'http://ocr.example.com/base/plain',
      'wss://ocr.example.com/base/live',
      'see https://ocr.example.com/base/x for more',
      '/admin/upload',
    ]) {
      expect(tell('x-upload-url', value), value).toBeUndefined();
    }
  });

  it('leaves everything else as it is', () => {
    for (const value of ['https://docs.example.com/errors', '12', '/0.5;q=1', 'ocr.example.com', '']) {
      expect(tell('x-note', value)).toBe(value);
    }
  });
});
