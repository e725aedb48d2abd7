/** Revoking a token. */
import { z } from '@hono/zod-openapi';

export const RevocationSchema = z
  .strictObject({
    jti: z.string().min(1).max(255).openapi({ description: 'The jti of the token.' }),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .openapi({
        description:
          'When the token ends by itself: a time to come. It is refused for as long as any token can be good, in case this ' +
          'is wrong.',
      }),
  })
  .openapi('Revocation', { example: { jti: 'laptop-2026' } });

export const RevokedSchema = z
  .object({
    jti: z.string(),
    expiresAt: z.iso.datetime().openapi({ description: 'Until when it is refused: longer than a token can be good.' }),
  })
  .openapi('Revoked');
