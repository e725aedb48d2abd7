import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Coordinator, Unreachable } from '../../agent/coordinator.ts';
import { FakeCoordinator } from './fake-coordinator.ts';

const TOKEN = 'a-token-that-nobody-may-see';
const ID = 'srv_0123456789abcdef';
const WORD = { heartbeatIntervalSeconds: 30, isHeartbeatLeader: false, heartbeatLeaderUrl: null };

let fake: FakeCoordinator;
let coordinator: Coordinator;

beforeEach(async () => {
  fake = new FakeCoordinator();
  await fake.start();
  coordinator = new Coordinator(fake.url, TOKEN);
});
afterEach(() => fake.stop());

const problem = (code: string, detail?: string) => ({
  type: `/docs/problems/${code}`,
  title: 'Title',
  status: 0,
  detail,
});

describe('the coordinator', () => {
  it('is sent the token in a header, and the body as JSON', async () => {
    fake.answer = () => ({ status: 200, body: WORD });
    expect(await coordinator.heartbeatCluster(ID, [{ id: ID, up: true }])).toMatchObject({
      kind: 'answered',
      value: WORD,
    });
    expect(fake.seen).toEqual([
      {
        method: 'POST',
        path: '/api/servers/heartbeats',
        token: `Bearer ${TOKEN}`,
        body: { leader: ID, members: [{ id: ID, up: true }] },
      },
    ]);
  });

  it.each([500, 502, 503, 429])('that answers %i is not reachable for the moment', async (status) => {
    fake.answer = () => ({ status, body: problem('unavailable', 'Come back.') });
    await expect(coordinator.heartbeat(ID)).rejects.toThrow(new Unreachable(`it answers ${status} (Come back)`));
  });

  it('that does not listen, or answers something else, is not reachable', async () => {
    fake.answer = () => ({ status: 200, body: '<html>' });
    await expect(coordinator.heartbeat(ID)).rejects.toThrow('in an unknown form');
    await fake.stop();
    await expect(coordinator.heartbeat(ID)).rejects.toThrow('ECONNREFUSED');
  });

  it('that does not know a server has forgotten it; that knows no route is no Tasklane', async () => {
    fake.answer = () => ({ status: 404, body: problem('server-not-found') });
    expect(await coordinator.heartbeat(ID)).toEqual({ kind: 'forgotten' });
    expect(await coordinator.servers()).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('Check "coordinator"'),
    });
  });

  it('that has another leader says so', async () => {
    fake.answer = () => ({ status: 409, body: problem('not-heartbeat-leader') });
    expect(await coordinator.heartbeatCluster(ID, [])).toEqual({ kind: 'not-leading' });
  });

  it('that refuses says why and what to do, and never the token', async () => {
    const reasons: string[] = [];
    for (const status of [400, 401, 403]) {
      const errors = status === 400 ? [{ field: '/weight', reason: 'is too large' }] : undefined;
      fake.answer = () => ({ status, body: { ...problem('x', 'Because.'), errors } });
      const reply = await coordinator.servers();
      if (reply.kind === 'refused') reasons.push(reply.reason);
    }
    expect(reasons).toEqual([
      expect.stringContaining('400 (/weight is too large)'),
      expect.stringContaining('fresh one with the role server'),
      expect.stringContaining('registered by another subject'),
    ]);
    expect(reasons.join()).not.toContain(TOKEN);
  });

  it('that redirects does not get the token to another address', async () => {
    const elsewhere = new FakeCoordinator();
    await elsewhere.start();
    fake.answer = () => ({ status: 307, headers: { location: `${elsewhere.url}/api/servers` } });
    expect(await coordinator.servers()).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('final address'),
    });
    expect(elsewhere.seen).toEqual([]);
    await elsewhere.stop();
  });
});
