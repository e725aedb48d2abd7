import { describe, expect, it } from 'vitest';
import { conductFrom, DEFAULT_CONDUCT, workMs } from '../../examples/server/conduct.ts';
import { type ExampleServer, startServer } from '../../examples/server/server.ts';

const quick = { ...DEFAULT_CONDUCT, latencyMs: 100, jitterMs: 0 };
const start = (conduct = quick, lingerMs = 200) => startServer({ name: 'one', port: 0, conduct, lingerMs });

async function set(server: ExampleServer, settings: string): Promise<Response> {
  return fetch(`${server.url}/_set?${settings}`, { method: 'POST' });
}

describe('the conduct of an example server', () => {
  it('keeps what is not given and refuses what makes no sense', () => {
    const inputs: Record<string, string> = { latencyMs: '500', version: '2' };
    expect(conductFrom(DEFAULT_CONDUCT, (name) => inputs[name])).toEqual({
      ...DEFAULT_CONDUCT,
      latencyMs: 500,
      version: '2',
    });
    expect(() => conductFrom(DEFAULT_CONDUCT, () => '2')).toThrow('failRate is a number from 0 to 1');
  });

  it('spreads its latency both ways, never below nothing', () => {
    const conduct = { ...DEFAULT_CONDUCT, latencyMs: 50, jitterMs: 100 };
    expect([0, 0.5, 1].map((random) => workMs(conduct, () => random))).toEqual([0, 50, 150]);
  });
});

describe('an example server', () => {
  it('works, tells who it is, fails as often as it is told, and counts', async () => {
    const server = await start();
    expect(await (await fetch(`${server.url}/any/path`, { method: 'POST' })).json()).toEqual({
      server: 'one',
      version: '1.0.0',
    });
    await set(server, 'failRate=1&version=2.0.0&latencyMs=0');
    expect((await fetch(server.url)).status).toBe(500);
    expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ version: '2.0.0', stopping: false });
    expect((await set(server, 'failRate=2')).status).toBe(400);
    expect(server.report()).toMatchObject({ calls: 2, failures: 1, inFlight: 0, mostInFlight: 1 });
    await server.finish();
  });

  it('finishes what runs and what still comes when it is told to stop', async () => {
    const server = await start({ ...quick, latencyMs: 500 }, 1_000);
    const running = fetch(server.url, { method: 'POST' });
    await expect.poll(() => server.report().inFlight, { timeout: 10_000, interval: 10 }).toBe(1);
    const finished = server.finish();
    expect((await fetch(`${server.url}/health`)).status).toBe(503);
    const late = fetch(server.url, { method: 'POST' });
    expect([(await running).status, (await late).status]).toEqual([200, 200]);
    await finished;
    await expect(fetch(server.url)).rejects.toThrow();
    expect(server.report()).toMatchObject({ calls: 2, inFlight: 0 });
  });
});
