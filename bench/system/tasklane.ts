/** Starts Tasklane's own local run, with the bench's backends as its services and a client's token. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOCAL_HOST } from '../../deploy/local/port.ts';
import { startLocal } from '../../deploy/local/runtime.ts';
import type { LocalSecrets } from '../../deploy/local/secrets.ts';
import { signToken } from '../../shared/auth/token.ts';
import type { Pair } from '../measure/line.ts';
import { Records } from './records.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { backendServices, SHARDS, type System } from './system.ts';

const TOKEN_SECONDS = 86_400;

export async function startTasklane(accept: Pair, backendPort: number): Promise<System> {
  const stateDir = mkdtempSync(join(tmpdir(), 'tasklane-bench-'));
  const local = await startLocal({
    port: 0,
    stateDir,
    shards: SHARDS,
    services: backendServices(backendPort),
    vars: { ACCEPT: accept },
    secrets: throwawaySecrets(),
  });
  const token = await signToken({ sub: 'bench', role: 'client' }, local.secrets.JWT_SECRET, TOKEN_SECONDS);
  const records = new Records(stateDir);
  return {
    name: `Tasklane, ${accept}`,
    durability:
      accept === 'queue'
        ? 'queue in memory until claimed, then D1 (fsync)'
        : 'row in D1 (fsync) before 202; queue in memory',
    address: { host: LOCAL_HOST, port: local.port },
    headers: { authorization: `Bearer ${token}` },
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
  return { JWT_SECRET: secret(), ID_SECRET: secret(), CALLBACK_SECRET: secret() };
}
