/** What a backend says about the attempt that it was given. */
import { z } from '@hono/zod-openapi';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { ContentTypeSchema } from './submission.ts';
import { verbatimJson } from './verbatim.ts';

const MAX_MESSAGE_CHARS = 10_000;

const message = z.string().max(MAX_MESSAGE_CHARS);
const percent = z.number().min(0).max(100);

export const TaskReportSchema = z
  .discriminatedUnion('status', [
    z.strictObject({
      status: z.literal('succeeded'),
      result: verbatimJson()
        .optional()
        .openapi({
          description:
            `Any JSON. Polls show it byte for byte up to ${MAX_INLINE_BYTES} bytes; up to 25 MB it is kept for a download, ` +
            'where the deployment has a bucket.',
        }),
      resultBase64: z.base64().optional().openapi({ description: 'A binary result, instead of result.' }),
      resultUpload: z.string().optional().openapi({
        description: 'The id of an upload (POST /api/task/ID/result/uploads), up to 5 GB, instead of result.',
        example: 't.06fkcm2m9g0000000000000000000000.result-0123456789abcdef',
      }),
      resultContentType: ContentTypeSchema.optional(),
    }),
    z.strictObject({
      status: z.literal('failed'),
      error: z.strictObject({ message }),
      retryable: z.boolean().default(true).openapi({ description: 'False: another attempt would fail the same way.' }),
    }),
    z.strictObject({
      status: z.literal('running'),
      progress: z
        .union([percent, z.strictObject({ percent: percent.optional(), message: message.optional() })])
        .optional()
        .openapi({ description: 'Percent, or percent and message.' }),
      message: message.optional(),
    }),
  ])
  .openapi('TaskReport', { example: { status: 'succeeded', result: { text: 'hello' } } });
export type TaskReport = z.infer<typeof TaskReportSchema>;

export const ReportAnswerSchema = z
  .object({
    id: z.string(),
    status: z.string(),
    changed: z.boolean().openapi({ description: 'False when the task already stood there.' }),
  })
  .openapi('ReportAnswer');
