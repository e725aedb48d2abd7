/**
 * Two releases overlap, forth and back, under load: every submission is accepted, every task succeeds, and
 * the backend is called once for each.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../examples/backend/server.ts';
import { signToken } from '../../shared/auth/token.ts';
import { allEnded, SECRETS, statusesIn } from '../e2e/pipeline.ts';
import { FORTH_AND_BACK, openHouse } from './house.ts';
import { ADDITIONAL_FIELDS, buildRelease, type Edit, READS_NEXT_VERSION, WRITES_NEXT_VERSION } from './variant.ts';

const STAGE_MS = 600;
const TASKS_A_BATCH = 20;
const PAUSE_MS = 100;
/** So many attempts that chance fails none; delays so short that the end is not waited for. */
const RETRY = { maxAttempts: 20, baseSeconds: 0.5, capSeconds: 1 };

let backend: Backend;

beforeEach(async () => {
  backend = await startBackend();
});
afterEach(() => backend.stop());

it.each<[string, readonly Edit[], readonly Edit[]]>([
  ['the next knows fields that this one does not', [], ADDITIONAL_FIELDS],
  ['the next writes messages of a version that this one only reads', READS_NEXT_VERSION, WRITES_NEXT_VERSION],
])('%s', async (_what, thisOne, next) => {
  const releases = await Promise.all([buildRelease(thisOne), buildRelease(next)]);
  const services = { random: { baseUrl: backend.url, path: '/random', retry: RETRY } };
  await using house = await openHouse(releases, services, SECRETS);
  const token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 600);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const tasks = Array.from({ length: TASKS_A_BATCH }, (_, index) => ({
    service: 'random',
    // Half of them fail once or twice and come back as retries, which the other release may take.
    path: index % 2 === 0 ? '/random?failRate=0' : '/random?failRate=0.3',
  }));
  const ids = new Set<string>();
  let submitting = true;
  const load = async () => {
    while (submitting) {
      const { status, text } = await house.fetch('/api/tasks/batch', {
        method: 'POST',
        headers,
        body: JSON.stringify({ tasks }),
      });
      expect(status, text).toBe(202);
      for (const { id } of (JSON.parse(text) as { results: { id: string }[] }).results) ids.add(id);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const loads = [load(), load()];
  for (const stage of FORTH_AND_BACK) {
    await house.switchTo(stage);
    await new Promise((resolve) => setTimeout(resolve, STAGE_MS));
  }
  submitting = false;
  await Promise.all(loads);
  await allEnded(house.database, ids.size, 60_000);

  expect(ids.size).toBeGreaterThan(FORTH_AND_BACK.length * TASKS_A_BATCH);
  expect(statusesIn(house.database)).toEqual({ succeeded: ids.size });
  const { byKey, keys } = backend.log.report();
  expect(keys).toBe(ids.size);
  expect(Object.values(byKey).filter(({ successes }) => successes !== 1)).toEqual([]);
  // A call that the other release does not understand is repeated until one does: late, and in the log.
  expect(house.errors).toEqual([]);
});
