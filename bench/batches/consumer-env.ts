/** What a consumer is given, for batches in virtual time: plain services, no secrets but what is added. */
import { LastKnownServers } from '../../consumer/capacity/last-known.ts';
import { LongCalls } from '../../consumer/capacity/long-calls.ts';
import type { ConsumerEnv } from '../../consumer/env.ts';
import { Redactor } from '../../consumer/keys/secrets/redaction.ts';
import { serviceSchema, servicesSchema } from '../../shared/service/definition.ts';
import { KnownServices } from '../../shared/service/known-services.ts';

/** @param more what differs from run to run; `unknown` stands for parts of the platform's own types that no batch touches */
export function consumerEnv(
  definitions: Readonly<Record<string, object>>,
  more: (known: KnownServices) => { readonly [Name in keyof ConsumerEnv]?: unknown },
): ConsumerEnv {
  const services = servicesSchema(true).parse(definitions);
  const schema = serviceSchema(true);
  const known = new KnownServices(services, (definition) => schema.safeParse(definition).data);
  return {
    publicUrl: 'https://tasks.example.com',
    redactor: () => new Redactor([]),
    refusesConnections: async () => false,
    services,
    known,
    servers: new LastKnownServers(),
    longCalls: new LongCalls(),
    serviceShare: 0.6,
    mostInvocations: undefined,
    draining: false,
    backend: () => undefined,
    secret: () => undefined,
    webhookSecrets: [],
    ...more(known),
  } as unknown as ConsumerEnv;
}
