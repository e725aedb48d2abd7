/** The local run as a process of its own, so that a test can kill it: `node local-process.ts STATE_DIR BACKEND_URL`. */

import { exampleServices } from '../../examples/services.ts';
import { startLocal } from '../../local/runtime.ts';
import { SECRETS } from './pipeline.ts';

const [stateDir, backendUrl] = process.argv.slice(2);
if (stateDir === undefined || backendUrl === undefined)
  throw new Error('usage: local-process.ts STATE_DIR BACKEND_URL');

const { url, runtimePid, recovered } = await startLocal({
  stateDir,
  services: exampleServices(backendUrl),
  secrets: SECRETS,
  // Retries that were waiting when the run died are woken by the cron: the test need not wait for it as a user does.
  cronIntervalMs: 1000,
});
process.send?.({ url, runtimePid, recovered });
