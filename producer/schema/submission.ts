/** What a client sends to submit tasks, and what it gets back at once. */
import { z } from '@hono/zod-openapi';
import { UPLOAD_ID_PATTERN } from '../../shared/bodies/object-key.ts';
import { FlowSchema } from '../../shared/flow/flow.ts';
import {
  FallbackSchema,
  HeaderNameSchema,
  HeaderValueSchema,
  MAX_DEADLINE_SECONDS,
  MAX_TIMEOUT_SECONDS,
  RequestTargetSchema,
  SERVICE_NAME_PATTERN,
} from '../../shared/service/definition.ts';
import { asRead, isNotForClients } from '../../shared/service/request-headers.ts';
import { AnswerRulesSchema } from '../../shared/task/answer-rule.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { ERROR_CLASSES } from '../../shared/task/error-class.ts';
import { TASK_METHODS } from '../../shared/task/request.ts';
import { CapabilitiesSchema, LABEL_PATTERN, TierSchema } from '../../shared/task/server-requirements.ts';
import { TASK_STATUSES } from '../../shared/task/status.ts';
import { HookSchema } from '../../shared/webhook/hook.ts';
import { IdempotencyKeySchema } from '../idempotency/key.ts';
import { ProblemSchema } from './problem.ts';
import { verbatimJson } from './verbatim.ts';

const MAX_BATCH_TASKS = 1000;
export const MAX_LABELS = 8;
const MAX_HEADERS = 32;
const MAX_REQUIRED_CAPABILITIES = 8;

/** With the other limits it leaves room for rules about answers: see `MAX_REST_BYTES`. */
const MAX_HEADERS_CHARS = 4096;

/** Headers that would say who the client is, or what the body is: not a task's to set. */
const REFUSED_HEADER = /^(?:authorization|cookie2?|content-type)$/i;

const LabelsSchema = z
  .record(
    z.string().regex(LABEL_PATTERN, 'a label is up to 63 letters, digits, dots, dashes, slashes or underscores'),
    z
      .string()
      .max(255)
      .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), 'a label has no control characters'),
  )
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`)
  .openapi({ description: `Up to ${MAX_LABELS} names and values of your own.`, example: { customer: 'acme' } });

/** A number of the client's own. */
export const RefSchema = z
  .string()
  .min(1)
  .max(255)
  .refine((ref) => ref.isWellFormed() && !/\p{Cc}/u.test(ref), 'a ref has no control characters');

/** A group by the name that its owner gave it: it stands in addresses. */
export const GroupIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'a group is up to 128 letters, digits, dots, dashes, colons or underscores, a letter or digit first',
  );

const TaskHeaderNameSchema = HeaderNameSchema.refine(
  (name) => !REFUSED_HEADER.test(asRead(name)),
  'a task may not set this header: credentials belong to the service, the media type to contentType',
).refine(
  (name) => !isNotForClients(name),
  'a task may not set this header: it is for Tasklane, or for a proxy, to say on whose behalf and how a call is made',
);

/** Of headers that came in another way, those that a task may carry; undefined when they are too many. */
export function taskHeadersAmong(headers: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const allowed = Object.entries(headers).filter(
    ([name, value]) => TaskHeaderNameSchema.safeParse(name).success && HeaderValueSchema.safeParse(value).success,
  );
  return HeadersSchema.safeParse(Object.fromEntries(allowed)).data;
}

const HeadersSchema = z
  .record(TaskHeaderNameSchema, HeaderValueSchema)
  .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `at most ${MAX_HEADERS} headers`)
  .refine(
    (headers) => Object.entries(headers).join('').length <= MAX_HEADERS_CHARS,
    `at most ${MAX_HEADERS_CHARS} characters of headers in all`,
  )
  .openapi({ description: 'Headers for the backend. Credentials belong to the definition of the service.' });

/** A media type with its parameters. */
export const ContentTypeSchema = z
  .string()
  .max(255)
  .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;[\t\x20-\x7e]*)?$/, 'a media type looks like text/plain');

const RequiresSchema = z
  .strictObject({
    capabilities: CapabilitiesSchema.refine(
      (all) => Object.keys(all).length <= MAX_REQUIRED_CAPABILITIES,
      `at most ${MAX_REQUIRED_CAPABILITIES} capabilities`,
    ).optional(),
    tier: TierSchema.optional(),
  })
  .openapi({ description: 'Only a server with all of these capabilities, and of this tier.', example: { tier: 2 } });

/** Ten years. */
const MAX_DELAY_SECONDS = 3653 * 86_400;

const moment = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-12-24T18:00:00Z or 2026-12-24T19:00:00+01:00' })
  .optional();

export const OnCompleteSchema = HookSchema.meta({
  id: 'OnComplete',
  description:
    'Whom the end is told to, by a signed message (Standard Webhooks). `on`: the ends that are told, all of them unless said; ' +
    'of a group: when a task of it ended so. `format`: standard, or cloudevents for CloudEvents 1.0.',
  example: { url: 'https://hooks.example.com/tasks', on: ['failed', 'expired'] },
});

export const TaskSubmissionSchema = z
  .strictObject({
    service: z.string().regex(SERVICE_NAME_PATTERN, 'a service name is lower-case letters, digits and dashes').openapi({
      description: 'The name of a configured service.',
      example: 'echo',
    }),
    path: RequestTargetSchema.optional().openapi({
      description: 'Below the base URL of the service; its default when absent.',
    }),
    method: z.enum(TASK_METHODS).optional().openapi({ description: 'The default of the service when absent.' }),
    payload: verbatimJson()
      .optional()
      .openapi({
        description:
          `Any JSON; the backend gets it byte for byte. Up to 25 MB where the deployment has a bucket, else ` +
          `${MAX_INLINE_BYTES} bytes. With a contentType other than JSON: a string, sent as text.`,
      }),
    payloadBase64: z.base64().optional().openapi({ description: 'A binary body, instead of payload.' }),
    payloadUpload: z
      .string()
      .regex(UPLOAD_ID_PATTERN, 'an upload is named like upl_06fkcm2m9g0000000000000000000000')
      .optional()
      .openapi({
        description: 'A body that was uploaded before (POST /api/uploads), up to 5 GB, instead of payload.',
        example: 'upl_06fkcm2m9g0000000000000000000000',
      }),
    contentType: ContentTypeSchema.optional().openapi({
      description: 'application/json for payload and application/octet-stream for payloadBase64 when absent.',
    }),
    headers: HeadersSchema.optional(),
    labels: LabelsSchema.optional(),
    ref: RefSchema.optional().openapi({
      description: 'Your own number of the task, unique or not; it is found by it: `GET /api/tasks?ref=`.',
      example: 'order-77',
    }),
    affinityKey: z
      .string()
      .min(1)
      .max(255)
      .refine((key) => key.isWellFormed() && !/\p{Cc}/u.test(key), 'an affinity key has no control characters')
      .optional()
      .openapi({
        description:
          'Tasks of the same key go to the same server while it is there, where the service balances `sticky`.',
      }),
    requires: RequiresSchema.optional(),
    flow: FlowSchema.optional().openapi({
      description:
        'Your tasks with this key share limits of their own: calls at a time, and calls in a period. What PUT /api/flows/{key} says wins.',
      example: { key: 'customer-acme', concurrency: 2, rate: 100, periodSeconds: 60 },
    }),
    priority: z.number().int().min(1).max(3).default(2).openapi({
      description:
        'Where tasks wait for capacity: 1 goes before your other tasks, 3 after those of everybody, but not for ever.',
    }),
    retry: z
      .strictObject({
        maxAttempts: z.number().int().min(1).max(100).optional(),
        baseSeconds: z.number().min(0).max(3600).optional(),
        capSeconds: z.number().min(0).max(43_200).optional(),
      })
      .optional()
      .openapi({ description: 'Replaces what the service says about retries, member by member.' }),
    timeoutSeconds: z.number().positive().max(MAX_TIMEOUT_SECONDS).optional().openapi({
      description: 'How long one call may take: at most as long as the service allows.',
      example: 10,
    }),
    fallback: FallbackSchema.optional().openapi({
      description:
        'Services that take the task, in this order and with fresh attempts, when the last attempt has failed. The setting of ' +
        'the service when absent.',
      example: ['echo'],
    }),
    fallbackOn: z
      .array(z.enum(ERROR_CLASSES))
      .max(ERROR_CLASSES.length)
      .optional()
      .openapi({
        description: "Errors after which the next service of fallback, the task's or its service's, takes it at once.",
        example: ['timeout'],
      }),
    answers: AnswerRulesSchema.optional().openapi({
      description:
        'What answers mean, looked at before the rules of the service and the usual reading; the first that fits decides.',
      example: [{ status: 200, body: { pointer: '/error' }, meaning: 'fail' }],
    }),
    delaySeconds: z.number().min(0).max(MAX_DELAY_SECONDS).optional().openapi({
      description: 'It starts this much later at the earliest. Costs a row.',
      example: 90,
    }),
    runAt: moment.openapi({
      description: 'It starts then at the earliest; a time that has passed is now. RFC 3339, any offset. Costs a row.',
      example: '2026-12-24T18:00:00+01:00',
    }),
    ttlSeconds: z.number().positive().max(MAX_DEADLINE_SECONDS).optional().openapi({
      description:
        'It ends by then, whatever happens, counted from its earliest start. The service says it when absent.',
      example: 3600,
    }),
    deadline: moment.openapi({
      description: 'It ends by then: at most seven days after its earliest start. RFC 3339, any offset.',
      example: '2026-12-24T23:00:00+01:00',
    }),
    deadlineSeconds: z.number().positive().max(MAX_DEADLINE_SECONDS).optional().openapi({
      description: 'The older name of ttlSeconds.',
    }),
    group: GroupIdSchema.optional().openapi({
      description: 'The group that it joins; a group is there when its first task names it. `GET /api/groups/{id}`.',
      example: 'night-7',
    }),
    onComplete: OnCompleteSchema.optional(),
    idempotencyKey: IdempotencyKeySchema.optional().openapi({
      description:
        'Like the header Idempotency-Key, which only a single task can have: a repeat with the same key and the same ' +
        'task is answered with the id of the first, until its task ends without success, and for 24 hours.',
      example: 'order-77',
    }),
  })
  .openapi('TaskSubmission', {
    example: { service: 'echo', path: '/v1/read', payload: { any: 'json' }, labels: { customer: 'acme' } },
  });
export type TaskSubmission = z.infer<typeof TaskSubmissionSchema>;

/** As the document has it. The route reads it itself (`readKeyHeader`): a schema would have all headers of each request collected. */
export const IDEMPOTENCY_KEY_PARAMETER = {
  name: 'idempotency-key',
  in: 'header',
  required: false,
  description: 'Of your own choice, up to 255 characters, in quotes or bare; one task comes to be under it.',
  schema: { type: 'string', example: '"order-77"' },
} as const;

export const AcceptedTaskSchema = z
  .object({
    id: z.string(),
    status: z.enum(TASK_STATUSES).openapi({ description: 'Of a repeated submission: where the task stands.' }),
    statusUrl: z.string(),
    replayed: z.boolean().optional().openapi({ description: 'True when the idempotency key was known already.' }),
    waitingFor: z
      .object({
        reason: z.string().openapi({ example: 'queue' }),
        until: z.iso.datetime().optional(),
        ahead: z.number().int().optional().openapi({
          description: 'Tasks before it, as far as known: in the line of its service, or in the emptiest queue.',
        }),
      })
      .optional()
      .openapi({ description: 'What the task waits for before it starts.' }),
    estimatedStartAt: z.iso.datetime().optional().openapi({
      description: 'When it probably starts, where that is known.',
    }),
  })
  .openapi('AcceptedTask');
export type AcceptedTask = z.infer<typeof AcceptedTaskSchema>;

export const ACCEPTED_EXAMPLE = {
  id: 'tsk_06fkcm2m9g0000000000000000000000',
  status: 'queued',
  statusUrl: 'https://tasks.example.com/api/task/tsk_06fkcm2m9g0000000000000000000000',
};

/** Items are checked one by one, so that a bad one does not sink the others. */
export const BatchSubmissionSchema = z
  .strictObject({
    group: z
      .union([
        GroupIdSchema,
        z.strictObject({
          id: GroupIdSchema,
          onComplete: OnCompleteSchema.optional(),
          keepOpen: z.boolean().default(false).openapi({ description: 'More tasks will come: it is not closed.' }),
        }),
      ])
      .optional()
      .openapi({
        description:
          'The group that all of them join. When all of them are taken it is closed with the batch: when they have ended, the ' +
          'group has. While one is refused it stays open, so that it can be sent again.',
        example: 'night-7',
      }),
    tasks: z
      .array(z.unknown())
      .min(1)
      .max(MAX_BATCH_TASKS)
      .openapi({
        type: 'array',
        items: { $ref: '#/components/schemas/TaskSubmission' },
        minItems: 1,
        maxItems: MAX_BATCH_TASKS,
      }),
  })
  .openapi('BatchSubmission');

export const BatchResultSchema = z
  .object({
    group: z.object({ id: z.string(), closed: z.boolean() }).optional(),
    results: z.array(
      z.union([
        AcceptedTaskSchema.extend({ index: z.number().int() }),
        z.object({ index: z.number().int(), problem: ProblemSchema }),
      ]),
    ),
  })
  .openapi('BatchResult');
