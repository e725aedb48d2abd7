import { describe, expect, it } from 'vitest';
import { bytesOf, joinServices, MAX_VARIABLE_BYTES, splitServices } from '../../../shared/service/variables.ts';

const services = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `service-${index}`,
      { baseUrl: `https://backend-${index}.example.com`, path: '/run', timeoutSeconds: 60 },
    ]),
  );

describe('services as variables', () => {
  it('are one variable while they fit, and keep what else there is', () => {
    const variables = { SHARD: '0', SERVICES: services(3) };
    expect(splitServices(variables)).toEqual(variables);
  });

  it('are as many as they need, none over the limit, and come together again', () => {
    const split = splitServices({ SHARD: '0', SERVICES: services(200) });
    const parts = Object.entries(split).filter(([name]) => name.startsWith('SERVICES'));
    expect(parts.length).toBeGreaterThan(3);
    for (const [, part] of parts) expect(bytesOf(part)).toBeLessThanOrEqual(MAX_VARIABLE_BYTES);
    expect(joinServices(split)).toEqual(services(200));
    expect(split.SHARD).toBe('0');
  });

  it('are read from objects and from texts, and an empty variable is none', () => {
    const texts = {
      SERVICES: JSON.stringify({ a: { path: '/a' } }),
      SERVICES_1: { b: { path: '/b' } },
      SERVICES_2: '',
    };
    expect(joinServices(texts)).toEqual({ a: { path: '/a' }, b: { path: '/b' } });
    expect(joinServices({ SERVICES_OTHER: { c: {} } })).toEqual({});
  });

  it('leave a service that is too large by itself whole, for the plan to name', () => {
    const large = { large: { path: `/${'x'.repeat(6_000)}` } };
    expect(splitServices({ SERVICES: { ...services(1), ...large } })).toMatchObject({ SERVICES_1: large });
  });

  it('leave nonsense for the schema to refuse', () => {
    expect(joinServices({ SERVICES: '{' })).toBe('{');
  });
});
