/** The registry's object in the real runtime, which takes objects without a timer out of memory after ten idle seconds. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Client, type Pipeline, startPipeline } from './pipeline.ts';

const HEARTBEAT_SECONDS = 4;

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ vars: { HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS) } });
});
afterAll(() => pipeline?.[Symbol.asyncDispose]());

it('a server that falls silent is unhealthy after three heartbeats, although nobody asked meanwhile', async () => {
  const server = await Client.as(pipeline.run.url, 'alice', 'server');
  const { body } = await server.call<{ id: string }>('POST', '/api/servers', {
    url: 'http://127.0.0.1:9',
    services: [{ name: 'ocr' }],
  });
  await server.call('POST', `/api/servers/${body.id}/heartbeat`, { status: 'healthy' });
  // Nobody may ask meanwhile: whoever asks wakes the object.
  await new Promise((resolve) => setTimeout(resolve, (3 * HEARTBEAT_SECONDS + 1) * 1000));
  const { body: list } = await server.call<{ servers: { state: string }[] }>('GET', '/api/servers');
  expect(list.servers).toMatchObject([{ state: 'unhealthy' }]);
});
