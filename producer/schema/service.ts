/** Services as they are put at run time, and as clients and autoscalers see them. */
import { z } from '@hono/zod-openapi';
import {
  BALANCING_ALGORITHMS,
  SERVICE_NAME_PATTERN,
  ServiceDefinitionSchema,
} from '../../shared/service/definition.ts';

export const ServiceNameSchema = z
  .string()
  .regex(SERVICE_NAME_PATTERN, 'a service name is lower-case letters, digits and dashes');

export const ServiceParamsSchema = z.object({
  name: ServiceNameSchema.openapi({ param: { name: 'name', in: 'path' }, example: 'ocr' }),
});

export const DeleteServiceQuerySchema = z.strictObject({
  force: z
    .enum(['true', 'false'])
    .default('false')
    .openapi({ description: 'True: also while calls run or tasks wait.' }),
});

export const ServiceDefinitionBodySchema = ServiceDefinitionSchema.meta({
  id: 'ServiceDefinition',
  example: {
    baseUrl: 'https://api.example.com',
    keyPool: 'default',
    auth: { header: 'x-api-key' },
    timeoutSeconds: 30,
    callbackTimeoutSeconds: 600,
    retry: { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 },
    balancing: 'least-connections',
    maxConcurrency: 50,
    requestsPerSecond: 20,
  },
});

export const PutServiceSchema = z
  .object({
    name: z.string(),
    version: z.number().int().openapi({ description: 'Of all definitions; grows with each change.' }),
    definition: z.record(z.string(), z.unknown()).openapi({ description: 'With its defaults filled in.' }),
    warnings: z
      .array(z.object({ field: z.string(), reason: z.string() }))
      .openapi({ description: 'What may not work where this runs.' }),
  })
  .openapi('PutService');

const ServiceSchema = z
  .object({
    name: z.string(),
    source: z.enum(['file', 'api']).openapi({ description: 'wrangler.toml, or put at run time, which wins.' }),
    paused: z.boolean(),
    balancing: z.enum(BALANCING_ALGORITHMS),
    target: z.enum(['servers', 'fixed']).openapi({ description: 'Registered servers, or an address of its own.' }),
    servers: z.object({ total: z.number().int(), available: z.number().int() }),
    inFlight: z.number().int().openapi({ description: 'Calls under way, as far as they are counted.' }),
  })
  .openapi('Service');

export const ServiceListSchema = z.object({ services: z.array(ServiceSchema) }).openapi('ServiceList', {
  example: {
    services: [
      {
        name: 'ocr',
        source: 'api',
        paused: false,
        balancing: 'peak-ewma',
        target: 'servers',
        servers: { total: 3, available: 2 },
        inFlight: 5,
      },
    ],
  },
});

export const PausedSchema = z.object({ name: z.string(), paused: z.boolean() }).openapi('PausedService');

export const DemandSchema = z
  .object({
    service: z.string(),
    inFlight: z.number().int(),
    capacity: z.number().openapi({ description: 'Calls at a time that its available servers take.' }),
    available: z.number().int().openapi({ description: 'Servers that take calls.' }),
    waiting: z.number().int().openapi({ description: 'Tasks that found no place in the last minute and wait.' }),
    arrivalsPerSecond: z.number(),
    meanLatencyMs: z.number().optional(),
    estimatedWaitSeconds: z
      .number()
      .optional()
      .openapi({ description: 'Until a new task starts, as it looks now; absent when nobody knows.' }),
    advisedServers: z.number().int().openapi({ description: 'How many servers would do the work.' }),
  })
  .openapi('Demand', {
    example: {
      service: 'ocr',
      inFlight: 16,
      capacity: 16,
      available: 2,
      waiting: 40,
      arrivalsPerSecond: 12.5,
      meanLatencyMs: 1800,
      estimatedWaitSeconds: 4.5,
      advisedServers: 4,
    },
  });
