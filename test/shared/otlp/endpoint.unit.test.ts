import { describe, expect, it } from 'vitest';
import { OtlpEndpointSchema, OtlpHeadersSchema } from '../../../shared/otlp/endpoint.ts';

describe('where traces and metrics go', () => {
  it('is nowhere when it is empty, and has no slash at its end', () => {
    expect(OtlpEndpointSchema.parse('')).toBeUndefined();
    expect(OtlpEndpointSchema.parse(undefined)).toBeUndefined();
    expect(OtlpEndpointSchema.parse('https://otlp.example.com/otlp/')).toBe('https://otlp.example.com/otlp');
    expect(OtlpEndpointSchema.safeParse('otlp.example.com').success).toBe(false);
  });

  it('has headers as other exporters have them', () => {
    expect(OtlpHeadersSchema.parse('authorization=Basic%20YTpi,x-tenant=one')).toEqual({
      authorization: 'Basic YTpi',
      'x-tenant': 'one',
    });
    expect(OtlpHeadersSchema.parse(undefined)).toEqual({});
    for (const wrong of ['authorization', '=x', 'a b=c', 'a=%zz', 'a=%0d%0ab'])
      expect(OtlpHeadersSchema.safeParse(wrong).success, wrong).toBe(false);
  });
});
