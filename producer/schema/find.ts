/** Filters by which tasks are found, and what is answered: a page, a count, failures by error. */
import { z } from '@hono/zod-openapi';
import { SERVICE_NAME_PATTERN } from '../../shared/service/definition.ts';
import { ERROR_CLASSES } from '../../shared/task/error-class.ts';
import { LABEL_PATTERN } from '../../shared/task/server-requirements.ts';
import { TASK_STATUSES } from '../../shared/task/status.ts';
import { isHookService } from '../../shared/webhook/hook.ts';
import { GroupIdSchema, MAX_LABELS, RefSchema } from './submission.ts';

const MAX_PAGE_TASKS = 200;
const DEFAULT_PAGE_TASKS = 50;

/** A parameter that may be repeated. */
function several<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess(
    (value) => (value === undefined || Array.isArray(value) ? value : [value]),
    z.array(schema).optional(),
  );
}

const LabelSchema = z
  .string()
  .refine((label) => label.includes(':') && LABEL_PATTERN.test(label.slice(0, label.indexOf(':'))), {
    message: 'must be NAME:VALUE, such as customer:acme',
  });

const moment = (what: string) =>
  z.iso
    .datetime({ offset: true, error: 'must be a time such as 2026-11-27T08:00:00Z or 2026-11-27T09:00:00+01:00' })
    .optional()
    .openapi({ description: `${what}; RFC 3339 with any offset.`, example: '2026-11-27T09:00:00+01:00' });

const filters = {
  ref: RefSchema.optional().openapi({ description: "The client's own number.", example: 'order-77' }),
  group: GroupIdSchema.optional().openapi({ description: 'The group that they belong to.', example: 'night-7' }),
  label: several(LabelSchema)
    .refine((labels) => (labels?.length ?? 0) <= MAX_LABELS, `at most ${MAX_LABELS} labels`)
    .openapi({
      description: 'NAME:VALUE; repeated, a task must have all of them.',
      param: { name: 'label', in: 'query', explode: true },
      type: 'array',
      items: { type: 'string' },
      example: ['customer:acme'],
    }),
  status: several(z.enum(TASK_STATUSES)).openapi({
    description: 'Repeated, a task may have any of them.',
    param: { name: 'status', in: 'query', explode: true },
    type: 'array',
    items: { type: 'string', enum: [...TASK_STATUSES] },
    example: ['failed'],
  }),
  service: z
    .string()
    .refine((name) => SERVICE_NAME_PATTERN.test(name) || isHookService(name), {
      message: 'a service name is lower-case letters, digits and dashes',
    })
    .optional()
    .openapi({ example: 'echo' }),
  errorClass: z.enum(ERROR_CLASSES).optional().openapi({ description: 'Of the error that it shows.' }),
  server: z.string().min(1).max(255).optional().openapi({
    description: 'The id, host or binding of its last attempt that is on record.',
  }),
  after: moment('Created at this time or later'),
  before: moment('Created before this time'),
  subject: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .openapi({ description: 'The owner: for who may see the tasks of others.' }),
};

/** In a body, where a list is a list. */
export const TaskFiltersSchema = z.strictObject(filters);
export type TaskFilters = z.output<typeof TaskFiltersSchema>;

const cursor = z.string().max(100).optional().openapi({ description: 'nextCursor of the answer before.' });

export const CountQuerySchema = z.strictObject({ ...filters, cursor });
export type CountQuery = z.output<typeof CountQuerySchema>;

export const ListQuerySchema = z.strictObject({
  ...filters,
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_TASKS).default(DEFAULT_PAGE_TASKS),
  cursor,
});

const nextCursor = z.string().nullable().openapi({
  description: 'Where to go on: the answer is about the newest tasks only. Null: it is about all of them.',
});

export const TaskCountSchema = z.object({ count: z.number().int(), nextCursor }).openapi('TaskCount', {
  example: { count: 1250, nextCursor: null },
});

export const ErrorGroupsSchema = z
  .object({
    groups: z.array(
      z.object({
        class: z.enum(ERROR_CLASSES),
        httpStatus: z.number().int().optional(),
        message: z.string().openapi({ description: 'With numbers and ids left out, by which errors are alike.' }),
        count: z.number().int(),
        services: z.array(z.string()),
        latest: z.object({ id: z.string(), at: z.iso.datetime().optional(), message: z.string() }),
      }),
    ),
    nextCursor,
  })
  .openapi('ErrorGroups', {
    example: {
      groups: [
        {
          class: 'http',
          httpStatus: 404,
          message: 'The backend answered #: model # not found',
          count: 31,
          services: ['llm'],
          latest: {
            id: 'tsk_06fkcm2m9g0000000000000000000000',
            at: '2026-11-27T08:00:00.000Z',
            message: 'The backend answered 404: model 7b not found',
          },
        },
      ],
      nextCursor: null,
    },
  });
