/** Bodies that are too large for JSON: how they are uploaded, and links to them. */
import { z } from '@hono/zod-openapi';
import { MAX_STORED_BYTES, MAX_UPLOAD_BYTES } from '../../shared/task/stored-body.ts';
import { ContentTypeSchema } from './submission.ts';

const MAX_LINK_SECONDS = 7 * 86_400;
/** Of the largest body. */
const MAX_PARTS = Math.ceil(MAX_STORED_BYTES / MAX_UPLOAD_BYTES);
/** The bucket's, which says nothing of what it is made of. */
const MAX_ETAG_CHARS = 1_024;

export const UploadSchema = z
  .strictObject({
    bytes: z.number().int().min(1).max(MAX_STORED_BYTES).openapi({
      description: 'The size of the body: exactly as many are taken. Up to 5 GB.',
      example: 31_457_280,
    }),
    contentType: ContentTypeSchema.optional().openapi({ example: 'application/pdf' }),
  })
  .openapi('Upload');

export const UploadViewSchema = z
  .object({
    id: z.string().openapi({
      description: 'What names it afterwards: payloadUpload of a task, resultUpload of a report.',
      example: 'upl_06fkcm2m9g0000000000000000000000',
    }),
    bytes: z.number().int().openapi({ example: 31_457_280 }),
    expiresAt: z.iso.datetime(),
    url: z.string().optional().openapi({ description: 'PUT the body here. Absent when it goes in parts.' }),
    parts: z
      .array(z.object({ part: z.number().int(), bytes: z.number().int(), url: z.string() }))
      .optional()
      .openapi({ description: 'PUT each part to its address, in any order, several at a time.' }),
    completeUrl: z
      .string()
      .optional()
      .openapi({ description: 'POST the etags of all parts here, when they are there.' }),
  })
  .openapi('UploadView');
export type UploadView = z.infer<typeof UploadViewSchema>;

export const BodyParamsSchema = z.object({
  key: z.string().openapi({
    param: { name: 'key', in: 'path' },
    description: 'As in the link.',
    example: 'u.06fkcm2m9g0000000000000000000000.payload',
  }),
});

export const PartParamsSchema = BodyParamsSchema.extend({
  part: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_PARTS)
    .openapi({ param: { name: 'part', in: 'path' }, description: 'As in the link.', example: 1 }),
});

const signed = {
  expires: z.coerce.number().int().openapi({ description: 'As in the link.' }),
  signature: z.string().openapi({ description: 'As in the link.' }),
};
const bytes = z.coerce.number().int().min(1).openapi({ description: 'As in the link.' });
const upload = z.string().openapi({ description: 'As in the link.' });

export const PutQuerySchema = z.strictObject({
  ...signed,
  bytes,
  type: z.string().optional().openapi({ description: 'As in the link.' }),
});
export const PartQuerySchema = z.strictObject({ ...signed, bytes, upload });
export const GetQuerySchema = z.strictObject({
  ...signed,
  task: z.string().optional().openapi({ description: 'In the link of a backend.' }),
  run: z.coerce.number().int().min(1).optional().openapi({ description: 'In the link of a backend.' }),
});

export const PartViewSchema = z
  .object({ part: z.number().int(), etag: z.string().openapi({ example: '5d41402abc4b2a76b9719d911017c592' }) })
  .openapi('UploadedPart');

export const CompletionSchema = z
  .strictObject({
    parts: z
      .array(
        z.strictObject({ part: z.number().int().min(1).max(MAX_PARTS), etag: z.string().min(1).max(MAX_ETAG_CHARS) }),
      )
      .min(1)
      .max(MAX_PARTS),
  })
  .openapi('UploadCompletion');

export const UploadedSchema = z
  .object({
    bytes: z.number().int().openapi({ example: 31_457_280 }),
    etag: z.string().openapi({ example: '5d41402abc4b2a76b9719d911017c592' }),
  })
  .openapi('Uploaded');

export const LinkRequestSchema = z
  .strictObject({
    body: z.enum(['payload', 'result']),
    expiresInSeconds: z.number().int().min(1).max(MAX_LINK_SECONDS).optional().openapi({ example: 3600 }),
  })
  .openapi('LinkRequest');

export const LinkSchema = z
  .object({ url: z.string(), bytes: z.number().int(), contentType: z.string(), expiresAt: z.iso.datetime() })
  .openapi('Link');
