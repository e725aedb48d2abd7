/** Starts Tasklane's own local run, with the bench's backends as its services and a client's token. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceInputs } from '../../local/local-plan.ts';
import { LOCAL_HOST } from '../../local/port.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import type { LocalSecrets } from '../../local/secrets.ts';
import { signToken } from '../../shared/auth/token.ts';
import type { Pair } from '../measure/line.ts';
import { Records } from './records.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { backendServices, SHARDS, type System, type TASKLANE_SERVICES } from './system.ts';

const TOKEN_SECONDS = 86_400;

export async function startTasklane(accept: Pair, backendPort: number): Promise<System> {
  const stateDir = mkdtempSync(join(tmpdir(), 'tasklane-bench-'));
  const local = await startLocal({
    port: 0,
    stateDir,
    shards: SHARDS,
    services: { ...backendServices(backendPort), ...ownServices(backendPort) },
    vars: { ACCEPT: accept },
    secrets: throwawaySecrets(),
  });
  const token = await signToken({ sub: 'bench', role: 'client' }, local.secrets.JWT_SECRET, TOKEN_SECONDS);
  const operator = await signToken({ sub: 'bench', role: 'admin' }, local.secrets.JWT_SECRET, TOKEN_SECONDS);
  await registerServer(local, backendPort);
  const records = new Records(stateDir);
  return {
    name: `Tasklane, ${accept}`,
    durability:
      accept === 'queue'
        ? 'queue in memory until claimed, then D1 (fsync)'
        : 'row in D1 (fsync) before 202; queue in memory',
    address: { host: LOCAL_HOST, port: local.port },
    backend: { host: '127.0.0.1', port: backendPort },
    headers: { authorization: `Bearer ${token}` },
    operatorHeaders: { authorization: `Bearer ${operator}` },
    runtime: new RuntimeProcess(local.runtimePid),
    records,
    async stop() {
      records.close();
      await local.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** The bench leaves the local run's own secrets alone. */
function throwawaySecrets(): LocalSecrets {
  const secret = () => randomBytes(48).toString('base64url');
  return { JWT_SECRET: secret(), ID_SECRET: secret(), CALLBACK_SECRET: secret(), WEBHOOK_SECRET: secret(), ...KEYS };
}

const KEYS = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`KEY${index + 1}`, `bench-key-${index + 1}`]));

/** `served` on a registered server, `keyed` with a pool's keys; neither has to wait for its limits. */
function ownServices(port: number): Record<(typeof TASKLANE_SERVICES)[number], ServiceInputs[string]> {
  const keyLimits = { requestsPerMinute: 1_000_000, concurrency: 1_000 };
  return {
    served: { path: '/instant' },
    keyed: { baseUrl: `http://127.0.0.1:${port}`, path: '/instant', keyPool: 'default', keyLimits },
  };
}

async function registerServer(local: LocalRun, port: number): Promise<void> {
  const token = await signToken({ sub: 'bench', role: 'server' }, local.secrets.JWT_SECRET, TOKEN_SECONDS);
  const response = await fetch(`${local.url}/api/servers`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: `http://127.0.0.1:${port}`, services: [{ name: 'served' }], maxConcurrency: 1_000 }),
  });
  if (!response.ok) throw new Error(`the server was not registered: ${response.status} ${await response.text()}`);
}
