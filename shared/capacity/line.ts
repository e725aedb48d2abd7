/**
 * A line is what parked tasks wait for (rule R20), as it is written in `tasks.parked_for`: the keys of a
 * pool, a bucket of them where a provider limits by model, or a place at a service, or at those of its
 * servers that have what the task asks for; or a place in a flow. A pool has one line
 * over all shards: each shard pulls from it when it has room. Pure.
 */

export type LineTarget =
  | {
      readonly kind: 'pool';
      readonly pool: string;
      readonly bucket?: string | undefined;
      /** Of the tasks that keys of the pool refused. */
      readonly isOfRefused?: boolean;
    }
  | { readonly kind: 'service'; readonly service: string; readonly bucket?: string | undefined }
  /** The whole text is the flow's name. */
  | { readonly kind: 'flow'; readonly flow: string };

/** @param bucket empty where there is none */
export function poolLine(pool: string, bucket = ''): string {
  return lineName(`pool:${pool}`, bucket);
}

/** Where tasks stand that keys refused: they wait until it is known whose fault it was. */
export function refusedLine(pool: string, bucket = ''): string {
  return lineName(`refused:${pool}`, bucket);
}

export function serviceLine(service: string, bucket = ''): string {
  return lineName(`service:${service}`, bucket);
}

function lineName(whole: string, bucket: string): string {
  return bucket === '' ? whole : `${whole}#${bucket}`;
}

/** How names of lines begin, before the colon. */
export const LINE_KINDS = ['service', 'pool', 'refused', 'flow'] as const;

/** @returns undefined for a text that is no line */
export function targetOfLine(line: string): LineTarget | undefined {
  const match = /^(?<kind>service|pool|refused|flow):(?<name>[^#]+)(?:#(?<bucket>.+))?$/s.exec(line);
  const { kind, name, bucket } = match?.groups ?? {};
  if (name === undefined) return undefined;
  if (kind === 'flow') return { kind, flow: line };
  if (kind === 'service') return { kind, service: name, ...(bucket !== undefined && { bucket }) };
  return { kind: 'pool', pool: name, bucket, ...(kind === 'refused' && { isOfRefused: true }) };
}

/** Who moves a line: of a pool's each shard a part; the lines of services and flows are moved by the registry. */
export function moverOf(line: string, shard: number | string | undefined): string {
  return targetOfLine(line)?.kind === 'pool' && shard !== undefined ? `shard${shard}` : 'registry';
}

/** What the tasks of a line wait for, as a person says it: `keys of the pool default`, `places at ocr`. */
export function lineInWords(line: string): string {
  const target = targetOfLine(line);
  if (target === undefined) return line;
  if (target.kind === 'flow') return line === 'flow:*' ? 'further flows' : `the flow ${line.replace('flow:', '')}`;
  const bucket = target.bucket === undefined ? '' : ` for ${target.bucket}`;
  if (target.kind === 'service') return `places at ${target.service}${bucket}`;
  return `${target.isOfRefused ? 'other ' : ''}keys of the pool ${target.pool}${bucket}`;
}

/** Names of buckets come from tasks: long or odd ones are cut, with a hash of all of it in their place. */
const MAX_BUCKET_LENGTH = 64;

/** The bucket of a value, such as a model's name: at most 64 safe characters. */
export function bucketOf(value: string): string {
  const safe = value.replaceAll(/[^A-Za-z0-9._:/-]/g, '_');
  if (safe === value && value !== '' && value.length <= MAX_BUCKET_LENGTH) return value;
  return `${safe.slice(0, MAX_BUCKET_LENGTH - 14)}~${hash(value)}`;
}

/** cyrb53 (public domain): buckets must not be mixed up by chance; nobody gains by doing it on purpose. */
function hash(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36);
}
