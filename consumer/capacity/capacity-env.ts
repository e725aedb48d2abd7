/** What asking for places, keys and flows needs of a consumer. Types alone. */

import type { Services } from '../../shared/service/definition.ts';
import type { KnownServices } from '../../shared/service/known-services.ts';
import type { ConsumerKeys } from '../keys/secrets/consumer-keys.ts';
import type { LastKnownServers } from './last-known.ts';
import type { LongCalls } from './long-calls.ts';

/** Services as this consumer knows them. */
export interface CatalogEnv {
  /** A batch works on a copy of the list. */
  readonly services: Services;
  readonly known: KnownServices;
}

/** For keys of a pool. */
export interface KeyEnv {
  readonly shard: string;
  readonly keys: ConsumerKeys;
}

/** For places at servers and in flows. */
export interface PlaceEnv extends CatalogEnv {
  readonly shard: string;
  readonly servers: LastKnownServers;
}

export interface CapacityEnv extends PlaceEnv, KeyEnv {
  /** Invocations of this shard that calls of one service may keep; undefined: as many as there are. */
  readonly mostInvocations: number | undefined;
  readonly longCalls: LongCalls;
}
