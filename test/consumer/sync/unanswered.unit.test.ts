/** A synchronous call of a service whose key pool meets a key while the ledger is away (decision 0096). */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LastKnownServers } from '../../../consumer/capacity/last-known.ts';
import type { ConsumerEnv } from '../../../consumer/env.ts';
import type { KeyRequest } from '../../../consumer/keys/pool/lease.ts';
import type { KeyRelease } from '../../../consumer/keys/pool/release.ts';
import { proxy } from '../../../consumer/sync/proxy.ts';
import type { Runtime } from '../../../producer/runtime.ts';
import { refuseDeclined } from '../../../producer/sync/refusal.ts';
import { serviceSchema, servicesSchema } from '../../../shared/service/definition.ts';
import { KnownServices } from '../../../shared/service/known-services.ts';
import { DECLINED_HEADER, DeclinedSchema, SYNC_ORIGIN } from '../../../shared/sync/call.ts';
import { KeyPoolObject } from '../../protocol/key-pool.ts';

beforeEach(() => {
  vi.useFakeTimers();
  for (const method of ['log', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
  vi.stubGlobal('scheduler', { wait: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)) });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const silence = () => new Promise<never>(() => undefined);

/** An object that has not met the key of its pool. */
function poolThatAsks(readSwitches: () => Promise<never[]>) {
  const pool = new KeyPoolObject('default', {
    releaseLine: async () => ({ released: 0, left: false }),
    readSwitches,
    keepSwitch: async () => undefined,
  });
  return {
    release: (request: KeyRelease) => pool.release(request),
    // Of an error that comes from another Worker the class is lost (developers.cloudflare.com/workers/runtime-apis/rpc/error-handling).
    lease: (request: KeyRequest) => pool.lease(request).catch((error) => Promise.reject(new Error(String(error)))),
  };
}

/** A consumer with one key. */
function consumerOf(pool: Pick<ReturnType<typeof poolThatAsks>, 'lease'>): ConsumerEnv {
  const services = servicesSchema(true).parse({ llm: { baseUrl: 'https://llm.example.net', keyPool: 'default' } });
  const known = new KnownServices(services, (definition) => serviceSchema(true).safeParse(definition).data);
  known.take(undefined, Date.now());
  const keys = {
    ring: { pools: new Map([['default', new Map([[1, 'sk-of-the-test']])]]), groups: new Map(), problems: [] },
    pool: () => pool,
    limits: () => ({}),
    shards: {},
  };
  return { shard: '0', services, known, servers: new LastKnownServers(), keys } as unknown as ConsumerEnv;
}

it.each([
  ['the ledger does not answer', poolThatAsks(silence)],
  ['the ledger breaks', poolThatAsks(() => Promise.reject(new Error('no ledger today')))],
  ['the pool itself does not answer', { lease: silence, release: silence }],
])('a synchronous call is refused with 503 and Retry-After within moments when %s', async (_, pool) => {
  const asked = vi.spyOn(pool, 'lease');
  const env = consumerOf(pool);
  const call = { id: crypto.randomUUID(), service: 'llm', servicesVersion: 0, patientUntil: Date.now(), hops: 0 };
  const runtime = { config: { registry: { listServices: async () => [] } } } as unknown as Runtime;
  const startedAt = Date.now();
  const refused = proxy(env, new Request(`${SYNC_ORIGIN}/chat`), call, () => undefined).then(async ({ headers }) => {
    const declined = DeclinedSchema.parse(JSON.parse(headers.get(DECLINED_HEADER) ?? ''));
    return { afterMs: Date.now() - startedAt, refusal: await refuseDeclined(runtime, {}, 'llm', declined) };
  });
  // Digests of keys take real time.
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  await vi.advanceTimersByTimeAsync(30_000);
  const { afterMs, refusal } = await refused;
  expect(afterMs).toBeLessThan(5_000);
  expect(refusal.status).toBe(503);
  expect(refusal.headers.get('retry-after')).toBe('5');
  expect(await refusal.json()).toMatchObject({ detail: expect.stringContaining('its key pool does not answer') });
});
