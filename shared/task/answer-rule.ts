/**
 * What an answer means, as a service or a task says it: rules that are looked at in order before the table of
 * `consumer/call/answer/outcome.ts`; the first that fits decides.
 */
import * as z from 'zod';

const MAX_RULES = 20;

const ANSWER_MEANINGS = ['succeed', 'fail', 'retry', 'defer', 'key'] as const;

/** A status, or a class of them: `5xx`. */
const StatusSchema = z.union([
  z.number().int().min(100).max(599),
  z.string().regex(/^[1-5]xx$/, 'a status is a number or a class such as 5xx'),
]);

const AnswerRuleSchema = z
  .strictObject({
    /** Any of these. */
    status: z.union([StatusSchema, z.array(StatusSchema).min(1).max(20)]).optional(),
    /** The header is there, with this value (letter case aside) where one is given. */
    header: z.strictObject({ name: z.string().min(1).max(128), equals: z.string().max(255).optional() }).optional(),
    /** What a JSON pointer (RFC 6901) leads to in a JSON body: is there, and is this value or contains this text. */
    body: z
      .strictObject({
        pointer: z
          .string()
          .max(255)
          .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, 'a JSON pointer starts with a slash'),
        equals: z.union([z.string().max(255), z.number(), z.boolean(), z.null()]).optional(),
        contains: z.string().min(1).max(255).optional(),
      })
      .optional(),
    /** `defer`: no capacity, no attempt is consumed. `key`: it is about the key, another is tried. */
    meaning: z.enum(ANSWER_MEANINGS),
  })
  .refine(({ status, header, body }) => (status ?? header ?? body) !== undefined, {
    message: 'a rule says which answers it is about: by status, header or body',
  });
export type AnswerRule = z.output<typeof AnswerRuleSchema>;

export const AnswerRulesSchema = z.array(AnswerRuleSchema).max(MAX_RULES);
