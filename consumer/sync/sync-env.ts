/** What the synchronous route needs of a consumer. Types alone. */
import type { OtlpEndpoint } from '../../shared/otlp/endpoint.ts';
import type { RedactionEnv, RegistryEnv, TargetEnv } from '../call/call-env.ts';
import type { PlaceEnv } from '../capacity/capacity-env.ts';

export interface SyncEnv extends TargetEnv, PlaceEnv, RegistryEnv, RedactionEnv {
  /** Where spans go. */
  readonly otlp: OtlpEndpoint | undefined;
}
