/** The pool whose keys a service's calls use, as keys are found, and the bucket that a call's limits are counted in. */

import { bucketOf } from '../../shared/capacity/line.ts';
import { poolNameOf } from '../../shared/key/name.ts';
import type { CatalogEnv } from './capacity-env.ts';

export function poolOf({ services }: Pick<CatalogEnv, 'services'>, service: string): string | undefined {
  const keyPool = services[service]?.keyPool;
  return keyPool === undefined ? undefined : poolNameOf(keyPool);
}

/** What of a request a bucket is read from. */
export interface BucketSource {
  readonly headers: Readonly<Record<string, string>>;
  /** As JSON text, or undefined when there is none that can be read. */
  readonly json: string | undefined;
}

/** @returns undefined where the service names no bucket, or the request says nothing of it */
export function bucketOfRequest(
  { services }: Pick<CatalogEnv, 'services'>,
  service: string,
  { headers, json }: BucketSource,
): string | undefined {
  const where = services[service]?.keyLimits?.bucket;
  if (where === undefined) return undefined;
  const value = where.startsWith('/') ? valueAt(json, where) : headers[where.toLowerCase()];
  return value === undefined || value === '' ? undefined : bucketOf(value);
}

/** RFC 6901. */
function valueAt(json: string | undefined, pointer: string): string | undefined {
  if (json === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  for (const part of pointer.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
