import { describe, expect, it } from 'vitest';
import { ServiceDefinitionSchema } from '../../../shared/service/definition.ts';
import { headerSecretNames, reviewService, reviewServices } from '../../../shared/service/review.ts';

const PRODUCTION = {
  allowsPrivateTargets: false,
  pools: new Set(['default', 'open_ai']),
  secrets: new Set(['OCR_TOKEN']),
  bindings: new Set(['IMAGES']),
};

const service = (definition: object) =>
  ServiceDefinitionSchema.parse({ baseUrl: 'https://api.example.com', ...definition });

const said = (definition: object, around: Partial<typeof PRODUCTION> = {}) =>
  reviewService(service(definition), { ...PRODUCTION, ...around }).map(
    ({ kind, path, message }) => `${kind} ${path.join('.')}: ${message}`,
  );

describe('a definition that can work', () => {
  it.each([
    [{}],
    [{ keyPool: 'default' }],
    [{ keyPool: 'open-ai' }],
    [{ headers: { 'x-token': { secret: 'OCR_TOKEN' } } }],
    [{ timeoutSeconds: 100 }],
    [{ baseUrl: undefined, binding: 'IMAGES', timeoutSeconds: 600 }],
  ])('%j has no findings', (definition) => {
    expect(said(definition)).toEqual([]);
  });
});

describe('what cannot work is refused with its field and the remedy', () => {
  it.each([
    [{ baseUrl: 'http://api.example.com' }, /^refused baseUrl: a target outside the local run is https/],
    [{ baseUrl: 'https://10.0.0.8' }, /^refused baseUrl: 10\.0\.0\.8 is not a public address/],
    [
      { keyPool: 'gemini' },
      /^refused keyPool: the pool gemini has no key \(there are default, open_ai\).*KEY_GEMINI_1/,
    ],
    [
      { headers: { 'x-token': { secret: 'OTHER' } } },
      /^refused headers\.x-token\.secret: the consumers hold no secret OTHER/,
    ],
    [{ baseUrl: undefined, binding: 'IMAGE' }, /^refused binding: the consumers have no binding IMAGE/],
  ])('%j', (definition, message) => {
    expect(said(definition)).toEqual([expect.stringMatching(message)]);
  });

  it('names KEY1 for the pool default when there are no keys at all', () => {
    expect(said({ keyPool: 'default' }, { pools: new Set() })[0]).toContain('(there is no pool); give one as KEY1');
  });
});

describe('what may not work', () => {
  it('is a time-out that proxies cut short', () => {
    expect(said({ timeoutSeconds: 101 })).toEqual([expect.stringMatching(/^warning timeoutSeconds: .*524.*202/)]);
  });
});

describe('what is not known here', () => {
  it('is not spoken of', () => {
    const definition = service({ keyPool: 'gemini', headers: { 'x-token': { secret: 'OTHER' } } });
    const nothing = { allowsPrivateTargets: true, pools: undefined, secrets: undefined, bindings: undefined };
    expect(reviewService(definition, nothing)).toEqual([]);
  });
});

describe('several services', () => {
  const services = {
    ocr: service({ headers: { 'x-a': { secret: 'A' }, 'x-b': { secret: 'B' } } }),
    chat: service({ keyPool: 'gemini', headers: { 'x-a': { secret: 'A' }, 'x-c': 'plain' } }),
  };

  it('are named in the path', () => {
    const findings = reviewServices(services, { ...PRODUCTION, secrets: new Set(['A', 'B']) });
    expect(findings.map(({ path }) => path)).toEqual([['chat', 'keyPool']]);
  });

  it('name each secret once', () => {
    expect(headerSecretNames(services)).toEqual(['A', 'B']);
  });
});
