/** The checklist of a deployment as the API shows it. */
import { z } from '@hono/zod-openapi';
import { NOTED_ITEMS } from '../checklist/checklist.ts';

export const ChecklistSchema = z
  .object({
    items: z.array(
      z.object({
        item: z.string(),
        state: z.enum(['ok', 'missing', 'unknown']),
        says: z.string(),
        remedy: z.string().optional(),
      }),
    ),
    secrets: z.array(z.object({ name: z.string(), fingerprint: z.string().optional() })).openapi({
      description: 'By which environments are compared: the same fingerprint is the same secret. None of a weak one.',
    }),
  })
  .openapi('Checklist', {
    example: {
      items: [{ item: 'alerts', state: 'missing', says: 'nobody is told', remedy: 'PUT /api/alerts/settings …' }],
      secrets: [{ name: 'JWT_SECRET', fingerprint: '9f2c4d1a7b3e5f60' }],
    },
  });

export const NoteParamsSchema = z.object({
  item: z.enum(NOTED_ITEMS).openapi({ param: { name: 'item', in: 'path' }, example: 'rollback' }),
});

export const NoteBodySchema = z
  .strictObject({ note: z.string().max(500).optional().openapi({ description: 'What was tried.' }) })
  .openapi('ChecklistNote', { example: { note: 'v12 and back on staging' } });

export const NotedSchema = z
  .object({ item: z.enum(NOTED_ITEMS), at: z.iso.datetime(), by: z.string() })
  .openapi('ChecklistNoted', { example: { item: 'rollback', at: '2026-11-27T08:00:00.000Z', by: 'root' } });
