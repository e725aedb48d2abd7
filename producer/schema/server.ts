/** Servers as they register themselves, and as owners and administrators see them. */
import { z } from '@hono/zod-openapi';
import {
  ClusterHeartbeatSchema,
  HeartbeatSchema,
  MaintenanceSchema,
  RegistrationSchema,
} from '../../shared/registry/registration.ts';
import { CIRCUIT_STATES, SERVER_STATES } from '../../shared/registry/rpc.ts';

const time = () => z.iso.datetime();
const EXAMPLE_ID = 'srv_0a1b2c3d4e5f6g7h';

export const ServerRegistrationSchema = RegistrationSchema.meta({
  id: 'ServerRegistration',
  example: {
    url: 'https://ocr-1.example.net',
    services: [{ name: 'ocr', path: '/ocr', version: '1.2.0' }],
    tier: 2,
    weight: 1,
    maxConcurrency: 8,
    capabilities: { gpu: true },
    wantsHeartbeatLeadership: true,
  },
});

export const ServerHeartbeatSchema = HeartbeatSchema.meta({
  id: 'ServerHeartbeat',
  example: { status: 'healthy', services: [{ name: 'ocr', path: '/ocr', version: '1.2.1' }] },
});

export const ClusterHeartbeatBodySchema = ClusterHeartbeatSchema.meta({
  id: 'ClusterHeartbeat',
  example: { members: [{ id: EXAMPLE_ID, up: true }] },
});

export const MaintenanceBodySchema = MaintenanceSchema.meta({
  id: 'Maintenance',
  example: { enabled: true },
});

const leadership = {
  heartbeatIntervalSeconds: z.number().openapi({ description: 'Send a heartbeat this often.' }),
  isHeartbeatLeader: z.boolean().openapi({ description: 'True: send the heartbeats of the whole cluster.' }),
  heartbeatLeaderUrl: z
    .string()
    .nullable()
    .openapi({ description: 'Who leads instead, at its agent when it has one; null: nobody else.' }),
};

export const RegisteredSchema = z.object({ id: z.string(), ...leadership }).openapi('RegisteredServer', {
  example: { id: EXAMPLE_ID, heartbeatIntervalSeconds: 30, isHeartbeatLeader: true, heartbeatLeaderUrl: null },
});

export const HeartbeatAnswerSchema = z
  .object({
    ...leadership,
    members: z
      .array(z.object({ id: z.string(), url: z.string(), agentUrl: z.string().optional() }))
      .openapi({ description: 'For the leader: whom to look after.' }),
  })
  .openapi('HeartbeatAnswer');

const OfferedServiceDocumentSchema = z.object({
  name: z.string(),
  baseUrl: z.string(),
  version: z.string().optional(),
  healthy: z.boolean(),
  why: z.string().optional().openapi({ description: 'Why it is not healthy.' }),
  circuit: z.object({
    state: z.enum(CIRCUIT_STATES),
    until: time().optional().openapi({ description: 'When an open circuit is tried again.' }),
    history: z.array(z.object({ at: time(), state: z.enum(CIRCUIT_STATES), why: z.string() })),
  }),
  inFlight: z.number().int(),
});

export const ServerSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    owner: z.string().openapi({ description: 'The subject whose token registered it.' }),
    cluster: z.string(),
    state: z.enum(SERVER_STATES),
    why: z.string().optional(),
    services: z.array(OfferedServiceDocumentSchema),
    tier: z.number(),
    weight: z.number(),
    maxConcurrency: z.number().int(),
    capabilities: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    isHeartbeatLeader: z.boolean(),
    inFlight: z.number().int(),
    registeredAt: time(),
    lastHeardAt: time(),
    nextCheckAt: time().optional().openapi({ description: 'The next health check; absent when none is needed.' }),
  })
  .openapi('Server');
export type ServerDocument = z.infer<typeof ServerSchema>;

export const ServerListSchema = z.object({ servers: z.array(ServerSchema) }).openapi('ServerList');

const ServiceMetricsSchema = z.object({
  name: z.string(),
  calls: z.number().int(),
  failures: z.number().int(),
  busy: z.number().int(),
  callsPerSecond: z.number(),
  inFlight: z.number().int(),
  latencyMs: z.object({ p50: z.number(), p95: z.number(), p99: z.number() }).optional(),
  ewmaMs: z.number().optional().openapi({ description: 'The moving average that peak-ewma balances by.' }),
});

export const ServerMetricsSchema = z
  .object({ id: z.string(), services: z.array(ServiceMetricsSchema) })
  .openapi('ServerMetrics', { description: 'Of the last five minutes.' });

export const ServerStatsSchema = z
  .object({ server: ServerSchema, metrics: ServerMetricsSchema })
  .openapi('ServerStats');

/** The pattern of ids is not checked here: what is not an id is a server that is not there. */
export const ServerParamsSchema = z.object({
  id: z
    .string()
    .max(64)
    .openapi({ param: { name: 'id', in: 'path' }, example: EXAMPLE_ID }),
});
