/** The audit as the API shows it. */
import { z } from '@hono/zod-openapi';
import { ACTS } from '../access.ts';

const time = () => z.iso.datetime({ offset: true });

export const AuditQuerySchema = z.strictObject({
  act: z.enum(ACTS).optional().openapi({ description: 'One kind of act alone.', example: 'service.pause' }),
  subject: z.string().max(256).optional().openapi({ description: 'What one person did.' }),
  after: time().optional(),
  before: time().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z
    .string()
    .regex(/^aud_[0-9a-f]{1,40}$/, 'is not a cursor of the audit; take nextCursor of the page before')
    .optional(),
});

const ActSchema = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    subject: z.string().openapi({ description: 'Who did it.' }),
    role: z.string(),
    act: z.string(),
    target: z.string().openapi({ description: 'To what; empty where the act names nothing.' }),
    count: z.number().int().openapi({ description: 'How many things it concerned.' }),
    before: z.unknown().optional(),
    after: z.unknown().optional(),
    requestId: z.string(),
  })
  .openapi('Act', {
    example: {
      id: 'aud_019a00000000ab12cd34',
      at: '2026-03-01T12:00:00.000Z',
      subject: 'olivia',
      role: 'admin',
      act: 'service.pause',
      target: 'ocr',
      count: 1,
      after: { paused: true },
      requestId: '8f14e45fceea167a',
    },
  });

export const AuditSchema = z
  .object({ acts: z.array(ActSchema), nextCursor: z.string().nullable() })
  .openapi('Audit', { description: 'Newest first.' });
