/** What making calls needs of a consumer. Types alone. */
import type { TaskMessage } from '../../shared/message/task-message.ts';
import type { RegistryRpc } from '../../shared/registry/rpc.ts';
import type { WebhookSecrets } from '../../shared/webhook/signature.ts';
import type { CatalogEnv, KeyEnv } from '../capacity/capacity-env.ts';
import type { Redactor } from '../keys/secrets/redaction.ts';
import type { Call } from './call.ts';

/** For the way to a backend: its address, what is sent with it, and how it leaves. */
export interface TargetEnv extends KeyEnv {
  /** Where backends call back to, without a slash at the end. */
  readonly publicUrl: string;
  /** The way out to servers: the binding `OUTBOUND` where there is one, as in the local run, else the global `fetch`. */
  readonly outbound: (url: string, init: RequestInit) => Promise<Response>;
  /** True when nobody listens there. Asked before a request is sent that may not be sent twice. */
  readonly refusesConnections: (url: string) => Promise<boolean>;
  /** A backend Worker behind a service binding. */
  readonly backend: (binding: string) => Fetcher | undefined;
  /** A secret that a service's header names. */
  readonly secret: (name: string) => string | undefined;
}

/** For bodies that are too large for messages and rows. */
export interface BodiesEnv {
  /** Undefined where the deployment has no bucket. */
  readonly bodies: R2Bucket | undefined;
}

/** For what a backend says, before anybody else sees it. */
export interface RedactionEnv {
  /** Takes a call's key and its service's header secrets out of it. */
  readonly redactor: (call: Pick<Call, 'service' | 'key' | 'definition'>) => Redactor;
}

/** For the registry, outside of a batch's session. */
export interface RegistryEnv {
  readonly registry: RegistryRpc;
}

/** For messages about ends, to clients' receivers. */
export interface MessageEnv extends RegistryEnv, Pick<CatalogEnv, 'known'>, Pick<TargetEnv, 'publicUrl' | 'outbound'> {
  /** What they are signed with. */
  readonly webhookSecrets: WebhookSecrets;
}

/** For backends that are told of a cancellation. */
export interface CancelEnv extends TargetEnv, CatalogEnv, RegistryEnv {
  /** Where a task goes on that must wait: this shard's queue, or another's while this one is drained. */
  readonly ownQueue: Queue<TaskMessage>;
}

/** For one attempt. */
export interface AttemptEnv extends TargetEnv, CatalogEnv, BodiesEnv, RedactionEnv, MessageEnv {}

/** For the attempts of one batch. */
export interface CallEnv extends AttemptEnv, CancelEnv {
  /** Calls over the network that one invocation may have under way. */
  readonly connections: number;
  /** Of one batch's turns, what calls of one service may hold while those of others wait. */
  readonly serviceShare: number;
}
