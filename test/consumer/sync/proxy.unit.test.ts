/** What a synchronous call holds when its client goes away while the answer is looked at. */
import { expect, it } from 'vitest';
import { LastKnownServers } from '../../../consumer/capacity/last-known.ts';
import type { ConsumerEnv } from '../../../consumer/env.ts';
import { Redactor } from '../../../consumer/keys/secrets/redaction.ts';
import { proxy } from '../../../consumer/sync/proxy.ts';
import type { CallReports } from '../../../shared/registry/routing.ts';
import { serviceSchema, servicesSchema } from '../../../shared/service/definition.ts';
import { KnownServices } from '../../../shared/service/known-services.ts';
import { SYNC_ORIGIN } from '../../../shared/sync/call.ts';

it('brings its place back when the client leaves just before the answer is passed on', async () => {
  const services = servicesSchema(true).parse({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 1 } });
  const known = new KnownServices(services, (definition) => serviceSchema(true).safeParse(definition).data);
  known.take(undefined, Date.now());
  const told: CallReports[] = [];
  const client = new AbortController();
  // Its one moment between the answer's head and its passing on: a body that says that it has no bytes is let go of.
  const body = new ReadableStream({ cancel: () => client.abort() });
  const env = {
    shard: '0',
    publicUrl: 'https://tasklane.example.net',
    services,
    known,
    servers: new LastKnownServers(),
    redactor: () => new Redactor([]),
    outbound: async () => new Response(body, { headers: { 'content-length': '0' } }),
    registry: {
      route: async () => ({
        decisions: [{ id: CALL.id, is: 'routed', server: undefined }],
        servers: {},
        lines: {},
        servicesVersion: 0,
      }),
      reportCalls: async (reports: CallReports) => void told.push(reports),
    },
  } as unknown as ConsumerEnv;
  const request = new Request(`${SYNC_ORIGIN}/scan`, { signal: client.signal });
  const work: Promise<unknown>[] = [];
  await proxy(env, request, CALL, (promise) => work.push(promise));
  await Promise.all(work);
  expect(told.flatMap(({ reports }) => reports)).toMatchObject([{ id: CALL.id, outcome: 'unused' }]);
});

const CALL = {
  id: '018f2f4e-7a1c-4c2e-9c39-2f1d7f4a0b11',
  service: 'ocr',
  servicesVersion: 0,
  patientUntil: Date.now() + 1_000,
  hops: 0,
};
