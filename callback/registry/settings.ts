/** What the server registry is given, checked: its intervals, and the services of the configuration. */
import * as z from 'zod';
import { FlagSchema, parseEnv } from '../../shared/env.ts';
import { type KeyShards, KeyShardsSchema } from '../../shared/key/shards.ts';
import { type Services, servicesSchema } from '../../shared/service/definition.ts';
import { joinServices } from '../../shared/service/variables.ts';

export interface RegistrySettings {
  readonly heartbeatMs: number;
  /** No contact for longer: removed. */
  readonly goneAfterMs: number;
  /** True in the local run only: servers may have private addresses. */
  readonly allowPrivateTargets: boolean;
  /** Of the configuration file. */
  readonly services: Services;
  /** By pool, the shards that have keys of it, as far as that is known. */
  readonly keyShards?: KeyShards;
}

/** This many intervals without a word: unhealthy. 90 seconds by default. */
const SILENT_INTERVALS = 3;

const SettingsSchema = z.object({
  HEARTBEAT_SECONDS: z.coerce.number({ error: 'is a number of seconds' }).min(1).max(3600).default(30),
  SERVER_GONE_SECONDS: z.coerce.number({ error: 'is a number of seconds' }).min(1).default(3600),
  ALLOW_PRIVATE_TARGETS: FlagSchema,
  KEY_SHARDS: KeyShardsSchema,
});

/** @throws MisconfiguredError */
export function readSettings(env: object): RegistrySettings {
  const { HEARTBEAT_SECONDS, SERVER_GONE_SECONDS, ALLOW_PRIVATE_TARGETS, KEY_SHARDS } = parseEnv(SettingsSchema, env);
  const { SERVICES } = parseEnv(z.object({ SERVICES: servicesSchema(ALLOW_PRIVATE_TARGETS) }), {
    SERVICES: joinServices(env),
  });
  const heartbeatMs = HEARTBEAT_SECONDS * 1000;
  return {
    heartbeatMs,
    goneAfterMs: Math.max(SERVER_GONE_SECONDS * 1000, SILENT_INTERVALS * heartbeatMs),
    allowPrivateTargets: ALLOW_PRIVATE_TARGETS,
    services: SERVICES,
    keyShards: KEY_SHARDS,
  };
}

export function silentAfterMs({ heartbeatMs }: RegistrySettings): number {
  return SILENT_INTERVALS * heartbeatMs;
}
