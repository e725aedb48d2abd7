/** Webhooks as their owners see them: the secret to verify with, and pausing one. */
import { z } from '@hono/zod-openapi';
import { HookSchema } from '../../shared/webhook/hook.ts';

export const WebhookSecretQuerySchema = z.strictObject({
  subject: z.string().min(1).max(255).optional().openapi({ description: 'For administrators: whose.' }),
});

export const WebhookSecretsSchema = z
  .object({
    secrets: z.array(z.string()).openapi({
      description: 'The current one first; two while the secret of the deployment is rotated.',
    }),
  })
  .openapi('WebhookSecrets', { example: { secrets: ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'] } });

const urlField = HookSchema.shape.url;

export const PauseWebhookSchema = z
  .strictObject({
    url: urlField,
    subject: WebhookSecretQuerySchema.shape.subject,
    reason: z.string().min(1).max(500).optional(),
  })
  .openapi('PauseWebhook', {
    example: { url: 'https://hooks.example.com/tasks', reason: 'the receiver is being moved' },
  });

export const ResumeWebhookSchema = PauseWebhookSchema.omit({ reason: true }).openapi('ResumeWebhook', {
  example: { url: 'https://hooks.example.com/tasks' },
});

export const PausedWebhookSchema = z
  .object({
    url: z.string(),
    service: z.string().openapi({ description: 'Of the tasks that deliver its messages: GET /api/tasks?service=' }),
    paused: z.boolean(),
  })
  .openapi('PausedWebhook', {
    example: {
      url: 'https://hooks.example.com/tasks',
      service: 'webhook:hooks.example.com:6f1ed002ab559585',
      paused: true,
    },
  });
