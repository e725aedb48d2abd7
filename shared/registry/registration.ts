/**
 * What a server says of itself: its address, the services it offers, and what it can take. Parsed at
 * the producer's edge; the registry trusts the types.
 */
import * as z from 'zod';
import { PathSchema, SERVICE_NAME_PATTERN } from '../service/definition.ts';
import { CapabilitiesSchema, LABEL_PATTERN, TierSchema } from '../task/server-requirements.ts';

export const SERVER_ID_PATTERN = /^srv_[0-9a-hjkmnp-tv-z]{16}$/;

/** Servers that do not say what they can take get this many calls at a time. */
const DEFAULT_MAX_CONCURRENCY = 16;

const MAX_SERVICES = 100;
const MAX_MEMBERS = 1_000;

export const ServiceNameSchema = z
  .string()
  .regex(SERVICE_NAME_PATTERN, 'a service name is lower-case letters, digits and dashes');

/** Addresses are kept in memory and in every snapshot. */
const MAX_ADDRESS_CHARACTERS = 512;
const ShortPathSchema = PathSchema.refine(
  (path) => path.length <= MAX_ADDRESS_CHARACTERS,
  `at most ${MAX_ADDRESS_CHARACTERS} characters`,
);

/** A service on a server: below the server's URL, or on another port of the same host. */
export const OfferedServiceSchema = z.strictObject({
  name: ServiceNameSchema,
  path: ShortPathSchema.default('/'),
  port: z.number().int().min(1).max(65_535).optional(),
  version: z.string().max(64).optional(),
  /** Asked by health checks, below `path`: any answer below 500 is a sign of life. */
  healthPath: ShortPathSchema.default('/health'),
});
export type OfferedService = z.output<typeof OfferedServiceSchema>;

const services = z
  .array(OfferedServiceSchema)
  .max(MAX_SERVICES)
  .refine((offered) => new Set(offered.map(({ name }) => name)).size === offered.length, 'each service once');

export const RegistrationSchema = z.strictObject({
  /** Where it is called, without a slash at the end of importance; a server is known by it. */
  url: z
    .url({ protocol: /^https?$/, error: 'is a web address such as https://ocr-1.example.net' })
    .max(MAX_ADDRESS_CHARACTERS),
  services: services.default([]),
  tier: TierSchema.default(1),
  weight: z.number().positive().max(1000).default(1),
  maxConcurrency: z.number().int().min(1).max(10_000).default(DEFAULT_MAX_CONCURRENCY),
  capabilities: CapabilitiesSchema.default({}),
  /** True: it may send the heartbeats of its whole cluster. */
  wantsHeartbeatLeadership: z.boolean().default(false),
  /** Servers that reach each other; one of them leads. */
  cluster: z.string().regex(LABEL_PATTERN, 'a cluster is up to 63 letters, digits, dots and dashes').default('default'),
  /** Where the leader of its cluster looks after it; without one it sends its own heartbeats. */
  agentUrl: z
    .url({ protocol: /^https?$/ })
    .max(MAX_ADDRESS_CHARACTERS)
    .optional(),
});
export type Registration = z.output<typeof RegistrationSchema>;

export const HeartbeatSchema = z.strictObject({
  /** `unhealthy` takes it out of use until it says otherwise. */
  status: z.enum(['healthy', 'unhealthy']).default('healthy'),
  /** Replaces the services it offers. */
  services: services.optional(),
});
export type Heartbeat = z.output<typeof HeartbeatSchema>;

/** A leader's word on its cluster; it counts as its own heartbeat too. */
export const ClusterHeartbeatSchema = z.strictObject({
  /** The leader; may be left out when the sender's subject has one leader only. */
  leader: z.string().regex(SERVER_ID_PATTERN).optional(),
  members: z.array(z.strictObject({ id: z.string().regex(SERVER_ID_PATTERN), up: z.boolean() })).max(MAX_MEMBERS),
});
export type ClusterHeartbeat = z.output<typeof ClusterHeartbeatSchema>;

export const MaintenanceSchema = z.strictObject({ enabled: z.boolean() });
