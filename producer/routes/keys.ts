/**
 * `GET /api/stats/keys` and `POST /api/keys/:shard/:key/:action`: the API keys of all shards, and what
 * an administrator does to one. Values never pass here: the consumers do not tell them.
 */
import { createRoute } from '@hono/zod-openapi';
import { isoTime } from '../../shared/iso-time.ts';
import type { KeyView } from '../../shared/key/rpc.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { readKeysOfShards } from '../keys/keys-of-shards.ts';
import { type KeyDocument, KeyParamsSchema, KeySchema, KeyStatsSchema } from '../schema/key.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const statsRoute = createRoute({
  method: 'get',
  path: '/api/stats/keys',
  operationId: 'getKeyStats',
  tags: ['keys'],
  summary: 'See how the API keys stand',
  responses: answers({ 200: jsonAnswer(KeyStatsSchema, 'The keys of every shard that answered.') }),
});

const actionRoute = createRoute({
  method: 'post',
  path: '/api/keys/{shard}/{key}/{action}',
  operationId: 'changeKey',
  tags: ['keys'],
  summary: 'Disable, enable or reset an API key',
  description:
    '`disable` takes it out of use until `enable`. `enable` also ends a refusal. `reset` forgets cooldown, limits and ' +
    'counts, as if the key had never been used; a key that was disabled here stays so.',
  request: { params: KeyParamsSchema },
  responses: answers({ 200: jsonAnswer(KeySchema, 'The key as it stands now.') }, 'invalid-request', 'key-not-found'),
});

export function addKeys(app: App): void {
  app.openapi(statsRoute, async (c) => {
    const shards = await readKeysOfShards(c.env.runtime, Date.now());
    return answerJson({
      keys: shards.flatMap(({ shard, keys = [], at = 0 }) => keys.map((view) => keyDocument(shard, view, at))),
      unreachableShards: shards.filter(({ isAway }) => isAway).map(({ shard }) => shard),
    });
  });

  app.openapi(actionRoute, async (c) => {
    const { shard, key, action } = c.req.valid('param');
    const consumer = c.env.runtime.config.consumers.find((each) => each.shard === shard);
    if (consumer === undefined) return refuse('key-not-found', { detail: `There is no shard ${shard}.` });
    const view = await callUpstream('consumer', () => consumer.rpc.change(key, action));
    if (view === UNAVAILABLE) return unavailable('The key is not certain to have changed; repeat the request.');
    if (view === undefined) return refuse('key-not-found', { detail: `Shard ${shard} has no key ${key}.` });
    c.set('change', { after: { action, state: view.state } });
    return answerJson(keyDocument(shard, view, Date.now()));
  });
}

function keyDocument(shard: number, view: KeyView, at: number): KeyDocument {
  const { pool, key, fingerprint, state, until, why, inFlight, calls, rateLimited, lastUsedAt, limits } = view;
  return {
    shard,
    pool,
    key,
    fingerprint,
    state,
    ...(until !== undefined && { until: isoTime(until) }),
    ...(why !== undefined && { why }),
    inFlight,
    calls,
    rateLimited,
    ...(lastUsedAt !== undefined && { lastUsedAt: isoTime(lastUsedAt) }),
    limits: [...limits],
    asOf: isoTime(at),
  };
}
