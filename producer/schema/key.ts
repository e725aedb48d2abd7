/** API keys as administrators see them: by shard, pool, number and fingerprint, never a part of the key. */
import { z } from '@hono/zod-openapi';
import { KEY_ACTIONS } from '../../shared/key/rpc.ts';

const KeySchema = z
  .object({
    shard: z.number().int(),
    pool: z.string(),
    key: z
      .string()
      .openapi({ description: 'What the key is called in addresses: `3`, or `gemini-3` in another pool.' }),
    fingerprint: z.string().openapi({ description: 'The start of a salted hash, to tell keys apart.' }),
    state: z.enum(['ready', 'cooling', 'disabled']),
    until: z.iso.datetime().optional().openapi({ description: 'When it is ready again, or tried again.' }),
    why: z.string().optional(),
    inFlight: z.number().int(),
    calls: z.number().int().openapi({ description: 'Since the pool was last started; so is rateLimited.' }),
    rateLimited: z.number().int(),
    lastUsedAt: z.iso.datetime().optional(),
    limits: z
      .array(
        z.object({
          from: z.enum(['configured', 'told', 'learnt']),
          calls: z.number(),
          seconds: z.number().optional().openapi({ description: 'Absent: so many at a time.' }),
          bucket: z.string().optional(),
        }),
      )
      .openapi({ description: 'Configured, told by the provider, or learnt from its refusals.' }),
    asOf: z.iso.datetime(),
  })
  .openapi('Key', {
    example: {
      shard: 0,
      pool: 'default',
      key: '3',
      fingerprint: '9f86d081',
      state: 'cooling',
      until: '2026-11-20T12:00:57.000Z',
      why: 'rate-limited',
      inFlight: 0,
      calls: 61,
      rateLimited: 1,
      lastUsedAt: '2026-11-20T12:00:01.250Z',
      limits: [{ from: 'learnt', calls: 60, seconds: 60 }],
      asOf: '2026-11-20T12:00:02.000Z',
    },
  });
export type KeyDocument = z.infer<typeof KeySchema>;

export { KeySchema };

export const KeyStatsSchema = z
  .object({
    keys: z.array(KeySchema),
    unreachableShards: z
      .array(z.number().int())
      .openapi({ description: 'Shards that did not answer; their keys are as they last were.' }),
  })
  .openapi('KeyStats');

export const KeyParamsSchema = z.object({
  shard: z.coerce
    .number()
    .int()
    .min(0)
    .openapi({ param: { name: 'shard', in: 'path', required: true }, type: 'integer', example: 0 }),
  key: z
    .string()
    .max(128)
    .openapi({ param: { name: 'key', in: 'path' }, example: '3' }),
  action: z.enum(KEY_ACTIONS).openapi({ param: { name: 'action', in: 'path' } }),
});
