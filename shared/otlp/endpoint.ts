/** Where traces and metrics are pushed (OTLP over HTTP), and with which headers: `OTLP_ENDPOINT`, `OTLP_HEADERS`. */
import * as z from 'zod';
import { HEADER_VALUE_PATTERN } from '../header-value.ts';

export interface OtlpEndpoint {
  /** Without a slash at the end; `/v1/traces` and `/v1/metrics` are below it. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export const OtlpEndpointSchema = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z
    .url({ protocol: /^https?$/, error: 'is a web address; write https://…' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
);

/** `name=value` separated by commas, values percent-encoded, as `OTEL_EXPORTER_OTLP_HEADERS` has them. */
export const OtlpHeadersSchema = z
  .string()
  .default('')
  .transform((text, context) => {
    const headers: Record<string, string> = {};
    for (const pair of text.split(',').filter((part) => part.trim() !== '')) {
      const [, name = '', value = ''] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=(.*)$/s.exec(pair) ?? [];
      const decoded = decode(value.trim());
      if (name === '' || decoded === undefined) {
        context.addIssue({ code: 'custom', message: 'is `name=value`, separated by commas, values percent-encoded' });
        return z.NEVER;
      }
      headers[name] = decoded;
    }
    return headers;
  });

export function otlpEndpoint(url: string | undefined, headers: OtlpEndpoint['headers']): OtlpEndpoint | undefined {
  return url === undefined ? undefined : { url, headers };
}

function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return HEADER_VALUE_PATTERN.test(decoded) ? decoded : undefined;
  } catch {
    return undefined;
  }
}
