/** Keys and registered servers together: real batch, ledger, key pool and server registry. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskMessage } from '../../../shared/message/task-message.ts';
import { RegistrationSchema } from '../../../shared/registry/registration.ts';
import { answerWith, newTask, newTasks, rowOf, TestConsumer, wakeNow } from './consumer.ts';

const registry = env.SERVER_REGISTRY.getByName('registry');
const farm = { subject: 'farm', isAdmin: true };
const KEYS = { KEY1: 'sk-first-0123456789', KEY2: 'sk-second-0123456789' };

async function join(service: string, host: string): Promise<string> {
  const registration = RegistrationSchema.parse({ url: `http://${host}`, services: [{ name: service }] });
  const answer = await registry.register(registration, farm);
  if (!answer.ok) throw new Error(answer.detail);
  return answer.value.id;
}

async function inFlightOf(id: string): Promise<number> {
  const answer = await registry.getServer(id, farm);
  return answer.ok ? answer.value.inFlight : -1;
}

beforeEach(() => {
  for (const level of ['log', 'warn', 'error'] as const) vi.spyOn(console, level).mockImplementation(() => {});
});
afterEach(() => void vi.restoreAllMocks());

describe("a pool's key on a registered server", () => {
  it('goes to origins that the configuration names', async () => {
    await join('named', 'named.test');
    const auth = { header: 'x-api-key', origins: ['http://named.test'] };
    const consumer = new TestConsumer({ services: { named: { keyPool: 'default', auth } }, keys: KEYS });
    const calls = answerWith(() => Response.json({}));
    const task = await newTask('named');
    await consumer.deliver([task]);
    expect(await rowOf(task)).toMatchObject({ status: 'succeeded' });
    expect(calls.map(({ headers }) => headers.get('x-api-key'))).toEqual([expect.stringMatching(/^sk-/)]);
  });

  it('goes nowhere else: the task waits and says which origin it is about', async () => {
    const id = await join('strange', 'strange.test');
    const auth = { origins: ['http://other.test'] };
    const consumer = new TestConsumer({ services: { strange: { keyPool: 'default', auth } }, keys: KEYS });
    const calls = answerWith(() => Response.json({}));
    const task = await newTask('strange');
    await consumer.deliver([task]);
    expect(calls).toEqual([]);
    const row = await rowOf(task);
    expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured', failures: 0 });
    expect(row.history).toContain('http://strange.test');
    expect(await inFlightOf(id)).toBe(0);
  });

  it('goes to no other server on failover that may not have it', async () => {
    await join('mixed', 'mixed-good.test');
    await join('mixed', 'mixed-bad.test');
    const auth = { origins: ['http://mixed-good.test'] };
    const consumer = new TestConsumer({ services: { mixed: { keyPool: 'default', auth } }, keys: KEYS });
    const calls = answerWith(() => {
      throw Object.assign(new Error('Network connection lost.'), { retryable: true });
    });
    await consumer.deliver(await newTasks(6, 'mixed'));
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.every(({ url }) => url.startsWith('http://mixed-good.test'))).toBe(true);
  });
});

describe('a call with a key on a registered server that is answered 429', () => {
  it('is made with another key in the same place, and stands in line for a key where there is no other', async () => {
    const id = await join('limited', 'limited.test');
    const services = { limited: { keyPool: 'default', auth: { origins: ['http://limited.test'] } } };
    const consumer = new TestConsumer({ services, keys: KEYS });
    const closed = () => Response.json({}, { status: 429, headers: { 'retry-after': '60' } });
    answerWith((request) => (request.headers.get('authorization')?.includes('first') ? closed() : Response.json({})));
    const tasks = await newTasks(2, 'limited');
    await consumer.deliver(tasks);
    for (const row of await Promise.all(tasks.map(rowOf))) expect(row).toMatchObject({ status: 'succeeded', run: 1 });
    answerWith(closed);
    const late = await newTask('limited');
    const { acked } = await consumer.deliver([late]);
    expect(acked).toHaveLength(1);
    expect(await rowOf(late)).toMatchObject({
      status: 'deferred',
      reason: 'rate-limited',
      parked_for: expect.stringMatching(/^pool:.*default$/),
    });
    expect(await inFlightOf(id)).toBe(0);
  });
});

describe('a hostile server that registers itself', () => {
  it('gets neither a key nor a secret header, when it is chosen or failed over to', async () => {
    const secret = 'recognisable-secret-0123456789';
    await join('targeted', 'good.test');
    await join('targeted', 'hostile.test');
    const service = {
      keyPool: 'default',
      auth: { origins: ['http://good.test'] },
      headers: { 'x-team': { secret: 'TEAM_KEY' } },
      cancelPath: '/work/{id}',
    };
    const keyless = { auth: service.auth, headers: service.headers };
    await join('keyless-targeted', 'hostile-too.test');
    const consumer = new TestConsumer({
      services: { targeted: service, 'keyless-targeted': keyless },
      keys: KEYS,
      vars: { TEAM_KEY: secret },
    });
    const calls = answerWith(() => {
      throw Object.assign(new Error('Network connection lost.'), { retryable: true });
    });
    const only = await newTask('keyless-targeted');
    await consumer.deliver([...(await newTasks(8, 'targeted')), only]);
    expect(calls.length).toBeGreaterThan(0);
    expect(new Set(calls.map(({ url }) => new URL(url).host))).toEqual(new Set(['good.test']));
    const row = await rowOf(only);
    expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured' });
    expect(row.history).toContain('http://hostile-too.test');
    expect(row.history).not.toContain(secret);
  });
});

describe('the place of a call that finds no key', () => {
  it('is given back with the batch', async () => {
    const id = await join('keyless', 'keyless.test');
    const service = {
      keyPool: 'default',
      auth: { origins: ['http://keyless.test'] },
      keyLimits: { requestsPerMinute: 1 },
    };
    const consumer = new TestConsumer({ services: { keyless: service }, keys: { KEY1: KEYS.KEY1 } });
    answerWith(() => Response.json({}));
    const tasks = await newTasks(5, 'keyless');
    await consumer.deliver(tasks);
    const rows = await Promise.all(tasks.map(rowOf));
    expect(rows.filter(({ reason }) => reason === 'no-key')).toHaveLength(4);
    expect(await inFlightOf(id)).toBe(0);
    expect(consumer.poolCalls).toEqual(['lease', 'release']);
  });

  it('is looked for by no woken task without a server: the pool hears that it waits elsewhere', async () => {
    const service = { keyPool: 'default', auth: { origins: ['http://nobody.test'] } };
    const consumer = new TestConsumer({ services: { nobody: service }, keys: KEYS });
    const task = await newTask('nobody');
    await consumer.deliver([task]);
    expect(consumer.poolCalls).toEqual([]);
    const wake = await wakeNow((await rowOf(task)).id, 'nobody');
    await consumer.deliver([{ ...wake, line: 'pool:default#large' } as TaskMessage]);
    expect(await rowOf(task)).toMatchObject({ parked_for: 'service:nobody', reason: 'no-server' });
    expect(consumer.poolCalls).toEqual(['release']);
    expect(consumer.outgoing.at(-1)).toContain('"elsewhere":["large"]');
  });
});
