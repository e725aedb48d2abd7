/** `npm run deploy -- --smoke` as a process: against the stub, with the Workers that it deployed behind their addresses. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeCloudflare } from '../../rehearse/fake-cloudflare.ts';
import { type Live, startLive } from '../../rehearse/live.ts';
import { SECRETS } from '../../rehearse/scenario.ts';
import { CloudflareStub } from '../../rehearse/server.ts';

let cloud: FakeCloudflare;
let stub: CloudflareStub;
let live: Live | undefined;
let workersDev: Server;

beforeEach(async () => {
  cloud = new FakeCloudflare();
  stub = new CloudflareStub({ secrets: Object.values(SECRETS), requiredSecrets: {} }, cloud);
  await stub.listen();
  let starting: Promise<Live> | undefined;
  workersDev = createServer((request, response) => {
    void (async () => {
      // Nothing is asked before all is uploaded: what the account holds then is what runs.
      starting ??= startLive(cloud, 'tasklane');
      live = await starting;
      const { 'x-workers-dev': host, authorization, 'content-type': type } = request.headers;
      const body = await buffer(request);
      const answer = await live.ask(`https://${String(host)}${request.url}`, {
        method: request.method ?? 'GET',
        headers: {
          ...(authorization !== undefined && { authorization }),
          ...(type !== undefined && { 'content-type': type }),
        },
        ...(body.length > 0 && { body }),
      });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  workersDev.listen(0, '127.0.0.1');
  await once(workersDev, 'listening');
});
afterEach(async () => {
  workersDev.closeAllConnections();
  workersDev.close();
  await live?.stop();
  live = undefined;
  await stub.close();
});

it('deploys, says what it saw of each thing, removes what it made, and ends well', async () => {
  const preloads = ['./terminal/node-guard.mjs', './test/rehearse/workers-dev.mjs'].flatMap((file) => [
    '--import',
    file,
  ]);
  const child = spawn(process.execPath, [...preloads, 'deploy/deploy.ts', '--smoke'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NO_COLOR: '1',
      CLOUDFLARE_API_BASE_URL: stub.baseUrl,
      CLOUDFLARE_ACCOUNT_ID: stub.accountId,
      CLOUDFLARE_API_TOKEN: stub.token,
      WORKERS_DEV: `http://127.0.0.1:${(workersDev.address() as AddressInfo).port}`,
      ...SECRETS,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [status] = await once(child, 'close');
  const looked = stderr.slice(stderr.indexOf('looking at what is deployed'));
  expect(status, stderr).toBe(0);
  expect(looked).not.toContain('✗');
  for (const what of [
    'settings of the account',
    'dead letters',
    'public address',
    'a task',
    'a large task',
    'six connections',
    'logs',
  ]) {
    expect(looked).toMatch(new RegExp(`^  ✓ ${what} `, 'm'));
  }
  for (const line of looked.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  expect(stdout).toBe('https://tasklane-producer.rehearsal.workers.dev\n');
  expect([...cloud.scripts.keys()].some((name) => name.includes('smoke'))).toBe(false);
  for (const secret of Object.values(SECRETS)) expect(stdout + stderr).not.toContain(secret);
  expect(stub.violations).toEqual([]);
});
