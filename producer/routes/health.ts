/**
 * `GET /healthz`: whether this deployment can serve, and what will soon keep it from serving. Public; names
 * variables, not values.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { StoreStatus } from '../../shared/store/fill.ts';
import { answerJson } from '../answer/answer.ts';
import type { App } from '../app.ts';
import type { Runtime } from '../runtime.ts';
import { jsonAnswer, problemAnswers } from '../schema/problem.ts';
import { describeStores, warningsOf } from '../statistics/stores.ts';

const HealthSchema = z
  .object({
    status: z.enum(['ok', 'warning']),
    warnings: z
      .array(z.string())
      .optional()
      .openapi({
        description: 'What wants a look: a store that is nearly full, or does not answer.',
        example: ['store 0 is 91.4% full, with 3.2 days left at the pace of the last day'],
      }),
  })
  .openapi('Health');

const route = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getHealth',
  tags: ['deployment'],
  summary: 'Ask whether the deployment can serve',
  responses: {
    200: jsonAnswer(HealthSchema, 'It is configured.'),
    ...problemAnswers(['too-many-requests', 'headers-too-large', 'method-not-allowed', 'misconfigured', 'internal']),
  } as ReturnType<typeof problemAnswers>,
});

/** A deployment that lacks a variable never gets here: see `producer/index.ts`. */
export function addHealth(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const warnings = warningsOf(await recentStatuses(runtime));
    return answerJson(warnings.length === 0 ? { status: 'ok' } : { status: 'warning', warnings });
  });
}

/** Anybody may ask, so what was found is told again for a while. */
const HOLDS_MS = 10_000;
const known = new WeakMap<Runtime, { readonly at: number; readonly statuses: readonly StoreStatus[] }>();

async function recentStatuses(runtime: Runtime): Promise<readonly StoreStatus[]> {
  const now = Date.now();
  const last = known.get(runtime);
  if (last !== undefined && now - last.at < HOLDS_MS) return last.statuses;
  const statuses = await describeStores(runtime, now);
  known.set(runtime, { at: now, statuses });
  return statuses;
}
