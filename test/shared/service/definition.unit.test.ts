import { describe, expect, it } from 'vitest';
import { isRouted, servicesSchema } from '../../../shared/service/definition.ts';

const schema = servicesSchema(false);
const parse = (definition: Record<string, unknown>) => schema.safeParse({ ocr: definition });
const baseUrl = 'https://ocr.example.com';

/** What is wrong, as `path: message`. */
function problems(services: unknown): string[] {
  const parsed = schema.safeParse(services);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('service definitions', () => {
  it('fill in what is not said', () => {
    expect(schema.parse({ ocr: { baseUrl } })).toEqual({
      ocr: {
        baseUrl,
        method: 'POST',
        path: '/',
        timeoutSeconds: 30,
        callbackTimeoutSeconds: 600,
        deadlineSeconds: 86_400,
        retry: { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 },
        headers: {},
        balancing: 'least-connections',
        answers: [],
        redactBodies: false,
      },
    });
    expect(schema.parse({ ocr: { binding: 'OCR', retry: { maxAttempts: 3 } } }).ocr).toMatchObject({
      binding: 'OCR',
      retry: { maxAttempts: 3, baseSeconds: 2, capSeconds: 3600 },
    });
  });

  it('come as an object or as its text', () => {
    expect(schema.parse(JSON.stringify({ ocr: { baseUrl } }))).toEqual(schema.parse({ ocr: { baseUrl } }));
    expect(schema.parse({})).toEqual({});
    for (const text of ['', '{', '[]', '"ocr"', 'null', '1']) expect(schema.safeParse(text).success, text).toBe(false);
  });

  it('want a base URL, a binding, or servers that register themselves: one of them', () => {
    expect(parse({}).success).toBe(true);
    expect(parse({ baseUrl, binding: 'OCR' }).success).toBe(false);
    expect(parse({ binding: 'OCR' }).success).toBe(true);
    expect(parse({ binding: 'ocr' }).success).toBe(false);
  });

  it('name the origins that secrets may be sent to, where servers register themselves', () => {
    const secret = { headers: { 'x-team': { secret: 'TEAM_KEY' } } };
    const origins = ['https://a.example.net'];
    expect(parse(secret).success).toBe(false);
    expect(parse({ keyPool: 'default' }).success).toBe(false);
    expect(parse({ ...secret, auth: { origins } }).success).toBe(true);
    expect(parse({ keyPool: 'default', auth: { origins } }).success).toBe(true);
    expect(parse({ ...secret, baseUrl }).success).toBe(true);
    expect(parse({ headers: { 'x-team': 'blue' } }).success).toBe(true);
    // How a key is sent is said of a pool.
    expect(parse({ ...secret, auth: { origins, header: 'x-api-key' } }).success).toBe(false);
  });

  it('ask the registry where there are servers to choose from, or places to count', () => {
    const routed = (definition: Record<string, unknown>) => {
      const { ocr } = schema.parse({ ocr: definition });
      return ocr !== undefined && isRouted(ocr);
    };
    expect(routed({ baseUrl })).toBe(false);
    expect(routed({ binding: 'OCR' })).toBe(false);
    expect(routed({})).toBe(true);
    expect(routed({ baseUrl, maxConcurrency: 5 })).toBe(true);
    expect(routed({ baseUrl, requestsPerSecond: 5 })).toBe(true);
  });

  it('refuse private targets by name, unless they are allowed', () => {
    const services = { ocr: { baseUrl: 'http://127.0.0.1:9000' }, good: { baseUrl } };
    expect(problems(services)).toEqual(['ocr.baseUrl: a target outside the local run is https']);
    expect(problems({ ocr: { baseUrl: 'https://169.254.169.254' } })[0]).toMatch(
      /^ocr\.baseUrl: .*not a public address/,
    );
    expect(servicesSchema(true).safeParse(services).success).toBe(true);
  });

  it('refuse names that are none', () => {
    for (const name of ['OCR', '-ocr', 'o_cr', 'o cr', '', 'x'.repeat(64)]) {
      expect(schema.safeParse({ [name]: { baseUrl } }).success, name).toBe(false);
    }
    for (const name of ['o', '0', 'ocr-2', 'x'.repeat(63)]) {
      expect(schema.safeParse({ [name]: { baseUrl } }).success, name).toBe(true);
    }
  });

  it('refuse fields that they do not know, such as a misspelt one', () => {
    expect(parse({ baseUrl, timeoutSecond: 5 }).success).toBe(false);
    expect(parse({ baseUrl, retry: { attempts: 5 } }).success).toBe(false);
  });

  it('keep times and attempts within what the platform and the row allow', () => {
    for (const wrong of [
      { timeoutSeconds: 0 },
      { timeoutSeconds: 601 },
      { callbackTimeoutSeconds: 7 * 86_400 + 1 },
      { deadlineSeconds: 7 * 86_400 + 1 },
      { deadlineSeconds: -1 },
      { retry: { maxAttempts: 0 } },
      { retry: { maxAttempts: 101 } },
      { retry: { maxAttempts: 1.5 } },
      { retry: { baseSeconds: -1 } },
      { retry: { capSeconds: 43_201 } },
    ]) {
      expect(parse({ baseUrl, ...wrong }).success, JSON.stringify(wrong)).toBe(false);
    }
  });

  it('keep limits within what limits anything, and say what to do instead', () => {
    const MORE = 'leave it out where there is no such limit';
    for (const [definition, problem] of [
      [{ requestsPerSecond: 1e-12 }, /^ocr\.requestsPerSecond: must be at least 0\.00001, .*; pause the service/],
      [{ requestsPerSecond: 0 }, /^ocr\.requestsPerSecond: must be at least 0\.00001/],
      [{ requestsPerSecond: 1e12 }, `ocr.requestsPerSecond: may be at most 100000; ${MORE}`],
      [{ maxConcurrency: 1e12 }, `ocr.maxConcurrency: may be at most 100000; ${MORE}`],
      [{ keyLimits: { concurrency: 1e12 } }, `ocr.keyLimits.concurrency: may be at most 100000; ${MORE}`],
      [{ keyLimits: { requestsPerMinute: 1e12 } }, `ocr.keyLimits.requestsPerMinute: may be at most 6000000; ${MORE}`],
      [{ keyLimits: { tokensPerMinute: 1e12 } }, `ocr.keyLimits.tokensPerMinute: may be at most 10000000000; ${MORE}`],
    ] as const) {
      const said = problems({ ocr: { baseUrl, keyPool: 'default', ...definition } });
      expect(said).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
    }
    const most = { requestsPerMinute: 6_000_000, tokensPerMinute: 10_000_000_000, concurrency: 100_000 };
    const slow = { requestsPerSecond: 0.00001, maxConcurrency: 100_000 };
    expect(parse({ baseUrl, keyPool: 'default', keyLimits: most, ...slow }).success).toBe(true);
  });

  it('take headers as values or as names of secrets', () => {
    expect(parse({ baseUrl, headers: { 'x-api-key': { secret: 'OCR_KEY' }, accept: 'text/plain' } }).success).toBe(
      true,
    );
    for (const headers of [
      { 'x api key': 'a' },
      { 'x-api-key': 'line\nbreak' },
      { 'x-api-key': 'ключ' },
      { 'x-api-key': { secret: 'lower-case' } },
      { 'x-api-key': { secret: 'OCR_KEY', value: 'a' } },
      { host: 'evil.example' },
      { 'Idempotency-Key': 'a' },
      { 'task-id': 'a' },
      { TraceParent: 'a' },
      { 'content-length': '1' },
    ]) {
      expect(parse({ baseUrl, headers }).success, JSON.stringify(headers)).toBe(false);
    }
  });

  it('take paths below the base URL only', () => {
    for (const path of ['/', '/v1/read', '/v1/read?mode=fast', '/a%20b', '/..a', '/a..']) {
      expect(parse({ baseUrl, path }).success, path).toBe(true);
    }
    for (const path of [
      '/..\u0000',
      '/a\u001f',
      '/a\u007f',
      '',
      'v1',
      '//evil.example',
      '/\\evil.example',
      '/../x',
      '/a/../b',
      '/a/..',
      '/./a',
      '/%2e%2e/x',
      '/%2E./x',
      '/a#b',
      '/a b',
      'https://evil.example/',
    ]) {
      expect(parse({ baseUrl, path }).success, path).toBe(false);
    }
  });

  it('name the task in the path that is told of a cancellation', () => {
    expect(parse({ baseUrl, cancelPath: '/work/{id}' }).success).toBe(true);
    expect(parse({ baseUrl, cancelPath: '/work' }).success).toBe(false);
  });
});
