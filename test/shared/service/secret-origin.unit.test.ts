import { describe, expect, it } from 'vitest';
import { hasSecrets, mayHaveSecrets, secretProblem } from '../../../shared/service/secret-origin.ts';

describe('an origin', () => {
  it('may have the secrets of a service that names it', () => {
    const service = { baseUrl: 'https://api.example.com/v1', auth: { origins: ['https://b.example.com:8443'] } };
    expect(mayHaveSecrets(service, 'https://api.example.com')).toBe(true);
    expect(mayHaveSecrets(service, 'https://b.example.com:8443')).toBe(true);
    for (const other of ['http://api.example.com', 'https://api.example.com:444', 'https://b.example.com', 'null']) {
      expect(mayHaveSecrets(service, other), other).toBe(false);
    }
  });

  it('of a Worker behind a binding may; of a server that merely registered it may not', () => {
    expect(mayHaveSecrets({ binding: 'OCR' }, 'https://backend.tasklane.internal')).toBe(true);
    expect(mayHaveSecrets({}, 'https://anybody.example.net')).toBe(false);
    expect(mayHaveSecrets({ auth: {} }, 'https://anybody.example.net')).toBe(false);
  });

  it('is named when it may not', () => {
    expect(secretProblem('https://anybody.example.net')).toContain('https://anybody.example.net');
  });
});

it('a service has secrets when it has a pool of keys or a header that names one', () => {
  expect(hasSecrets({ headers: { 'x-team': 'blue' } })).toBe(false);
  expect(hasSecrets({ headers: { 'x-team': { secret: 'TEAM_KEY' } } })).toBe(true);
  expect(hasSecrets({ keyPool: 'default', headers: {} })).toBe(true);
});
