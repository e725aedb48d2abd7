/**
 * How producer and consumer speak about a synchronous call: an ordinary request and its answer, with
 * one header each way that neither client nor backend ever sees. The request's path and query are
 * those below the service.
 */
import * as z from 'zod';
import { SERVICE_NAME_PATTERN } from '../service/definition.ts';

/** On the request: a `SyncCall` as JSON. */
export const CALL_HEADER = 'tasklane-call';
/** On an answer that is not the backend's: a `Declined` as JSON. */
export const DECLINED_HEADER = 'tasklane-declined';
/** Whatever a client or a backend sends under such a name is dropped. */
export const INTERNAL_HEADER_PREFIX = 'tasklane-';

/** The host says nothing: a bound Worker is addressed by path. */
export const SYNC_ORIGIN = 'https://sync.tasklane.internal';

/**
 * On every call of a backend: through how many deployments, or how often through this one, the request
 * has come. What comes from outside under this name is read, and nothing else of ours is.
 */
export const HOPS_HEADER = 'tasklane-hops';

/** A service may well be another deployment's; more than so many in a row are a circle. */
export const MAX_HOPS = 4;

/** @returns 0 for a request that comes from no deployment */
export function hopsOf(headers: Headers | ReadonlyMap<string, string>): number {
  const said = headers.get(HOPS_HEADER) ?? undefined;
  if (said === undefined) return 0;
  // What cannot be read may hide a circle.
  return /^\d{1,3}$/.test(said) ? Number(said) : MAX_HOPS;
}

/** Bodies up to this are held in memory, so that a call can go to another server or key. */
export const MAX_HELD_BYTES = 1024 * 1024;

export const SyncCallSchema = z.object({
  /** Names the call in logs, in the registry and in the key pool. */
  id: z.uuid(),
  service: z.string().regex(SERVICE_NAME_PATTERN),
  /** Of the service definitions that the producer has read: the consumer knows no older ones. */
  servicesVersion: z.number().int().min(0),
  /** How long it may wait for a place and a key, on all shards together: Unix ms. */
  patientUntil: z.number(),
  /** See `HOPS_HEADER`. */
  hops: z.number().int().min(0).default(0),
});
export type SyncCall = z.output<typeof SyncCallSchema>;

const DECLINED_REASONS = [
  'no-server',
  'server-busy',
  'paused',
  'no-key',
  'key-refused',
  'misconfigured',
  'unreachable',
  'unreadable',
  'timeout',
] as const;

/** Why no backend answered. */
export const DeclinedSchema = z.object({
  why: z.enum(DECLINED_REASONS),
  /** Unix ms: when a repeat makes sense, where that is known. */
  until: z.number().optional(),
  /** What an operator can do; holds no secret. */
  detail: z.string().optional(),
  /** The response carries what a limited key or a busy server answered: the client gets it when nothing else is free. */
  hasAnswer: z.boolean().optional(),
});
export type Declined = z.output<typeof DeclinedSchema>;
