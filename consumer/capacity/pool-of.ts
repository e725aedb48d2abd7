/** The pool whose keys a service's calls use, as keys are found, and the bucket that a call's limits are counted in. */

import { bucketOf } from '../../shared/capacity/line.ts';
import { valueAtPointer } from '../../shared/json-pointer.ts';
import { parsedJson } from '../../shared/json-text.ts';
import { poolNameOf } from '../../shared/key/name.ts';
import type { CatalogEnv } from './capacity-env.ts';

export function poolOf({ services }: Pick<CatalogEnv, 'services'>, service: string): string | undefined {
  const keyPool = services[service]?.keyPool;
  return keyPool === undefined ? undefined : poolNameOf(keyPool);
}

/** What of a request a bucket is read from. */
export interface BucketSource {
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, or undefined when there is none that can be read. Bytes are decoded only where the bucket stands in them. */
  readonly json: string | ArrayBuffer | undefined;
}

/** @returns undefined where the service names no bucket, or the request says nothing of it */
export function bucketOfRequest(
  { services }: Pick<CatalogEnv, 'services'>,
  service: string,
  { headers, json }: BucketSource,
): string | undefined {
  const where = services[service]?.keyLimits?.bucket;
  if (where === undefined) return undefined;
  const value = where.startsWith('/') ? textAt(json, where) : headers[where.toLowerCase()];
  return value === undefined || value === '' ? undefined : bucketOf(value);
}

function textAt(json: BucketSource['json'], pointer: string): string | undefined {
  if (json === undefined) return undefined;
  const text = typeof json === 'string' ? json : new TextDecoder().decode(json);
  const value = valueAtPointer(parsedJson(text), pointer);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
