/** Revoking a token. */
import { z } from '@hono/zod-openapi';
import { ROLES } from '../../shared/auth/role.ts';

export const RevocationSchema = z
  .strictObject({
    token: z
      .string()
      .min(1)
      .max(8192)
      .optional()
      .openapi({ description: 'The token itself: then it is certain that it was issued, and to whom.' }),
    jti: z.string().min(1).max(255).optional().openapi({ description: 'Or its jti.' }),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .openapi({
        description:
          'When the token ends by itself: a time to come. It is refused for as long as any token can be good, in case this ' +
          'is wrong.',
      }),
  })
  .refine(({ token, jti }) => (token === undefined) !== (jti === undefined), {
    path: ['jti'],
    error: 'give the token, or its jti, and not both',
  })
  .openapi('Revocation', { example: { jti: 'laptop-2026' } });

export const RevokedSchema = z
  .object({
    jti: z.string(),
    issued: z.enum(['yes', 'unknown']).openapi({
      description:
        '`yes`: the token was shown, and this deployment takes it for its own. `unknown`: only an id was given, and ids ' +
        'are not kept when tokens are made; check its spelling.',
    }),
    subject: z.string().optional().openapi({ description: 'Whose token it is, when it was shown.' }),
    role: z.enum(ROLES).optional(),
    expiresAt: z.iso.datetime().openapi({ description: 'Until when it is refused: longer than a token can be good.' }),
  })
  .openapi('Revoked');
