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
  force: z.enum(['true', 'false']).default('false').openapi({
    description: 'True: also while calls run or tasks wait. Those that wait end as cancelled, with the reason.',
  }),
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
    inForceEverywhereAt: z.iso.datetime().openapi({
      description: 'Batches that begin then go by it wherever they run; with limits that stood before, sooner.',
    }),
    warnings: z
      .array(z.object({ field: z.string(), reason: z.string() }))
      .openapi({ description: 'What may not work where this runs.' }),
  })
  .openapi('PutService');

const ServiceSchema = z
  .object({
    name: z.string(),
    source: z.enum(['file', 'api', 'servers']).openapi({
      description: 'wrangler.toml; put at run time, which wins; or offered by servers and defined nowhere.',
    }),
    paused: z.boolean(),
    pause: z
      .object({ until: z.string().optional(), reason: z.string().optional() })
      .optional()
      .openapi({ description: 'Until when it is paused, and why, as far as it was said.' }),
    unreachable: z
      .object({ since: z.string(), why: z.string() })
      .optional()
      .openapi({ description: 'Nobody is there at its own address: its tasks wait and lose no attempt.' }),
    balancing: z.enum(BALANCING_ALGORITHMS),
    target: z.enum(['servers', 'fixed']).openapi({ description: 'Registered servers, or an address of its own.' }),
    servers: z.object({ total: z.number().int(), available: z.number().int() }),
    inFlight: z.number().int().openapi({ description: 'Calls under way, as far as they are counted.' }),
  })
  .openapi('Service');

const definition = (description: string) => z.record(z.string(), z.unknown()).optional().openapi({ description });

export const ServiceDetailSchema = ServiceSchema.extend({
  definition: definition('What is in force, with its defaults. Values of headers that look like secrets are `***`.'),
  overridden: definition('What wrangler.toml says, which is not in force.'),
  ramp: z
    .object({ perSecond: z.number(), until: z.iso.datetime() })
    .optional()
    .openapi({ description: 'Calls that may start in a second now, while it is resumed with a ramp.' }),
}).openapi('ServiceDetail', {
  example: {
    name: 'ocr',
    source: 'api',
    paused: false,
    balancing: 'peak-ewma',
    target: 'servers',
    servers: { total: 3, available: 2 },
    inFlight: 5,
    definition: { method: 'POST', timeoutSeconds: 30, maxConcurrency: 50 },
  },
});

/** An hour is long for a backend to warm up in. */
const MAX_RAMP_SECONDS = 3_600;

export const ResumeBodySchema = z
  .strictObject({
    rampSeconds: z
      .number()
      .positive()
      .max(MAX_RAMP_SECONDS)
      .optional()
      .openapi({ description: 'So long its calls grow from one a second to what it bears; without it, at once.' }),
  })
  .openapi('Resume', { example: { rampSeconds: 300 } });

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

const untilField = z.iso.datetime({ offset: true, error: 'is a time such as 2027-01-31T12:00:00Z' });

export const PauseBodySchema = z
  .strictObject({
    until: untilField.optional().openapi({ description: 'It goes on by itself then; without it, when it is resumed.' }),
    reason: z.string().min(1).max(500).optional().openapi({ description: 'For whoever looks at the service.' }),
  })
  .openapi('Pause', { example: { until: '2030-01-31T12:00:00Z', reason: 'maintenance of the backend' } });

export const PausedSchema = z
  .object({ name: z.string(), paused: z.boolean(), until: z.string().optional(), reason: z.string().optional() })
  .extend({ rampSeconds: z.number().optional() })
  .openapi('PausedService');

export const DemandSchema = z
  .object({
    service: z.string(),
    inFlight: z.number().int(),
    capacity: z.number().openapi({ description: 'Calls at a time that its available servers take.' }),
    available: z.number().int().openapi({ description: 'Servers that take calls.' }),
    waiting: z
      .number()
      .int()
      .openapi({ description: 'Tasks that wait for capacity: a place, a key, their turn in a flow.' }),
    waitingForPlace: z.number().int().openapi({ description: 'Those of them that more servers would help.' }),
    arrivalsPerSecond: z.number(),
    meanLatencyMs: z.number().optional(),
    estimatedWaitSeconds: z
      .number()
      .optional()
      .openapi({ description: 'Until a new task starts, as it looks now; absent when nobody knows.' }),
    advisedServers: z
      .number()
      .int()
      .openapi({ description: 'How many servers would do the work; tasks that wait for a key need none.' }),
  })
  .openapi('Demand', {
    example: {
      service: 'ocr',
      inFlight: 16,
      capacity: 16,
      available: 2,
      waiting: 40,
      waitingForPlace: 40,
      arrivalsPerSecond: 12.5,
      meanLatencyMs: 1800,
      estimatedWaitSeconds: 4.5,
      advisedServers: 4,
    },
  });
