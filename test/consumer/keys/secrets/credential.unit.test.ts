import { describe, expect, it } from 'vitest';
import { placeKey } from '../../../../consumer/keys/secrets/credential.ts';
import { serviceSchema } from '../../../../shared/service/definition.ts';

const service = (over: object = {}) =>
  serviceSchema(false).parse({ baseUrl: 'https://api.example.com/v1', keyPool: 'default', ...over });

describe('a key', () => {
  it('goes to the fixed target of its service, and to the origins that it names', () => {
    const headers: Record<string, string> = {};
    expect(placeKey(service(), 'https://api.example.com/v1/x', headers, 'secret').ok).toBe(true);
    expect(headers).toEqual({ authorization: 'Bearer secret' });
    const named = service({ auth: { origins: ['https://b.example.com'] } });
    expect(placeKey(named, 'https://b.example.com/x', {}, 'secret').ok).toBe(true);
  });

  it.each([
    'https://api.example.com.evil.test/v1',
    'https://api.example.com@evil.test/v1',
    'https://api.example.com:8443/v1',
    'http://api.example.com/v1',
  ])('does not go to %s', (url) => {
    const headers: Record<string, string> = {};
    expect(placeKey(service(), url, headers, 'secret')).toMatchObject({ ok: false });
    expect(headers).toEqual({});
  });
});
