import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Call, EndedCall } from '../../consumer/call/call.ts';
import { runSlice, type SliceHost } from '../../consumer/call/slice.ts';
import { readEnv } from '../../consumer/env.ts';

let backend: Server;
beforeAll(async () => {
  vi.spyOn(console, 'log').mockReturnValue();
  // Never answers /hangs.
  backend = createServer((request, response) => {
    if (request.url !== '/hangs') response.end('done');
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  backend.closeAllConnections();
  backend.close();
});

function callOf(number: number, path: string): Call {
  const now = Date.now();
  return {
    id: `tsk_${String(number).padStart(32, '0')}`,
    service: 'ocr',
    state: {
      status: 'running',
      run: 1,
      deferrals: 0,
      base: 0,
      policy: { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 },
      deadlineAt: now + 60_000,
      leaseUntil: now + 60_000,
    },
    request: { path },
    callbackToken: '1.0',
  };
}

describe('calls that take turns on one connection', () => {
  it('are timed each by itself: after one that timed out, the next is made and may succeed', async () => {
    const baseUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
    const binding = {};
    const env = readEnv({
      PUBLIC_URL: 'http://tasklane.test',
      ALLOW_PRIVATE_TARGETS: 'true',
      SERVICES: { ocr: { baseUrl, timeoutSeconds: 0.1 } },
      LEDGER: binding,
      REGISTRY: binding,
      SELF: binding,
      OWN_QUEUE: binding,
    });
    const ended: EndedCall[] = [];
    const host: SliceHost = {
      ended: async (some) => void ended.push(...some),
      unstarted: async () => undefined,
      cancelledAmong: async () => [],
    };
    const calls = ['/', '/hangs', '/', '/'].map((path, index) => callOf(index, path));
    ended.push(...(await runSlice(env, calls, host, 1)));
    const kinds = ended.map(({ attempted: { outcome } }) =>
      outcome.kind === 'retryable' ? outcome.error.class : outcome.kind,
    );
    expect(kinds).toEqual(['succeeded', 'timeout', 'succeeded', 'succeeded']);
  });
});
