import { afterEach, describe, expect, it, vi } from 'vitest';
import { bucketOfRequest } from '../../../consumer/capacity/pool-of.ts';
import { ServiceDefinitionSchema } from '../../../shared/service/definition.ts';

const llm = (bucket?: string) => ({
  services: {
    llm: ServiceDefinitionSchema.parse({ baseUrl: 'https://llm.test', keyPool: 'default', keyLimits: { bucket } }),
  },
});
const JSON_TEXT = '{"model":"large","use":{"a/b":7}}';
const bytes = new TextEncoder().encode(JSON_TEXT).buffer as ArrayBuffer;
const bucket = (where: string | undefined, json: string | ArrayBuffer | undefined, headers = {}) =>
  bucketOfRequest(llm(where), 'llm', { headers, json });

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the bucket of a request', () => {
  it('stands where the service says: in the body, as text or as bytes, or in a header', () => {
    const large = bucket('X-Model', undefined, { 'x-model': 'large' });
    expect(large).toBeDefined();
    expect(bucket('/model', JSON_TEXT)).toBe(large);
    expect(bucket('/model', bytes)).toBe(large);
    expect(bucket('/use/a~1b', bytes)).toBe(bucket('x-use', undefined, { 'x-use': '7' }));
  });

  it('is none where the body says nothing of it', () => {
    for (const json of [undefined, '', 'not JSON', '"large"', '{}', '{"model":""}', '{"model":{}}'])
      expect(bucket('/model', json)).toBeUndefined();
    expect(bucket('x-model', JSON_TEXT)).toBeUndefined();
  });

  it('costs no decoding of a body where it does not stand in one', () => {
    const decode = vi.spyOn(TextDecoder.prototype, 'decode');
    expect([bucket(undefined, bytes), bucket('x-model', bytes)]).toEqual([undefined, undefined]);
    expect(decode).not.toHaveBeenCalled();
    bucket('/model', bytes);
    expect(decode).toHaveBeenCalledOnce();
  });
});
